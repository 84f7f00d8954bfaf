"""An order gets to a broker that takes little: without its outline rather than not at all."""

from __future__ import annotations

import pytest

from cityos.api.cap.mapping import cap_document
from cityos.dispatch.channels.mqtt import MqttChannel
from cityos.domain.alert import AlertArea
from cityos.errors import TooLarge
from cityos.ports import Delivery
from cityos.testing import builders as a

SQUARE = ((138.3, 34.8), (138.4, 34.8), (138.4, 34.9), (138.3, 34.9), (138.3, 34.8))
AREA = AlertArea(
    name=a.name("town"), geocodes={"jma_area": ("2221200",)}, polygons=(SQUARE,) * 100
)


class SmallBroker:
    def __init__(self, takes_bytes: int) -> None:
        self.takes_bytes = takes_bytes
        self.said: list[bytes] = []

    def publish(self, topic: str, payload: bytes, *, retain: bool, timeout_s: float) -> None:
        assert retain
        assert timeout_s > 0
        if len(payload) > self.takes_bytes:
            raise TooLarge(topic)
        self.said.append(payload)


def delivery() -> Delivery:
    alert = a.alert(infos=(a.info(areas=(AREA,)),))
    return Delivery(1, "town", "mqtt", alert, "flood/x", 0)


@pytest.mark.parametrize(("takes_bytes", "outlined"), [(100_000, True), (5_000, False)])
def test_the_outline_is_left_out_where_it_does_not_fit(
    takes_bytes: int, *, outlined: bool
) -> None:
    broker = SmallBroker(takes_bytes)
    MqttChannel(broker, cap_document).deliver(delivery())
    (said,) = broker.said
    assert (b"<polygon>" in said) is outlined
    assert b"2221200" in said


def test_what_does_not_fit_without_it_either_is_told() -> None:
    with pytest.raises(TooLarge):
        MqttChannel(SmallBroker(100), cap_document).deliver(delivery())
