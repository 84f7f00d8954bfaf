"""Alerts on MQTT: one retained CAP 1.2 document a situation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cityos.domain import topic
from cityos.domain.alert import Alert
from cityos.ports import Delivery, MessagePublisher

NAME: Final = "mqtt"
_TIMEOUT_S: Final = 5.0


class MqttChannel:
    """An ``AlertChannel`` that retains. ``document`` writes the alert as CAP.

    A Cancel is published retained like the order that it lifts (see ``dispatch.retained``).
    """

    name = NAME

    def __init__(
        self,
        publisher: MessagePublisher,
        document: Callable[[Alert], bytes],
        *,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._publisher = publisher
        self._document = document
        self._timeout_s = timeout_s

    def deliver(self, delivery: Delivery) -> None:
        self._publish(delivery, self._document(delivery.alert))

    def withdraw(self, delivery: Delivery) -> None:
        """A retained message of no bytes clears the topic (MQTT 5, 3.3.1.3)."""
        self._publish(delivery, b"")

    def _publish(self, delivery: Delivery, payload: bytes) -> None:
        where = topic.alert(delivery.tenant, delivery.alert.occasion, delivery.situation)
        self._publisher.publish(where, payload, retain=True, timeout_s=self._timeout_s)
