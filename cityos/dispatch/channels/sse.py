"""Alerts to the browsers and apps that listen: tells the API processes, who hold the streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cityos.ports import Delivery

NAME: Final = "sse"


class SseChannel:
    """An ``AlertChannel``. ``announce`` reaches every API process: tenant, identifier, status.

    Delivered means announced. A browser that was away asks for the alerts in force when it comes
    back, so nothing depends on having been there.
    """

    name = NAME

    def __init__(self, announce: Callable[[str, str, str], None]) -> None:
        self._announce = announce

    def deliver(self, delivery: Delivery) -> None:
        self._announce(delivery.tenant, delivery.alert.identifier, delivery.alert.status)
