"""Alerts on MQTT: one retained CAP 1.2 document a situation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cityos.domain import topic
from cityos.domain.alert import Alert
from cityos.errors import TooLarge
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
        """Raises Unavailable; TooLarge where it does not fit without outlines either."""
        try:
            self._publish(delivery, self._document(delivery.alert))
        except TooLarge:
            self._publish(delivery, self._document(_without_outlines(delivery.alert)))

    def withdraw(self, delivery: Delivery) -> None:
        """A retained message of no bytes clears the topic (MQTT 5, 3.3.1.3)."""
        self._publish(delivery, b"")
        self.clear_former(delivery)

    def clear_former(self, delivery: Delivery) -> None:
        """An earlier version retained the situation elsewhere, and nobody would end that one."""
        former = topic.former_alert(delivery.tenant, delivery.alert.occasion, delivery.situation)
        self._publisher.publish(former, b"", retain=True, timeout_s=self._timeout_s)

    def _publish(self, delivery: Delivery, payload: bytes) -> None:
        alert = delivery.alert  # its source is the service that proposed it
        where = topic.alert(delivery.tenant, alert.occasion, alert.source, delivery.situation)
        self._publisher.publish(where, payload, retain=True, timeout_s=self._timeout_s)


def _without_outlines(alert: Alert) -> Alert:
    """The codes of the areas say the same to a machine, and their names to people."""
    return replace(
        alert,
        infos=tuple(
            replace(info, areas=tuple(replace(area, polygons=()) for area in info.areas))
            for info in alert.infos
        ),
    )
