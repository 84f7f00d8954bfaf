"""What a vendor is told when a topic's device may not say what it said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from adapters.cityos_json.decoder import CityOSJSON
from cityos.domain.entity import REHEARSAL_ONLY, Device
from cityos.domain.observation import Observation
from cityos.domain.occasion import Actual
from cityos.domain.rejection import Reason
from cityos.errors import Rejected
from cityos.ingest.routes import Adapter, Route
from cityos.ports import Origin
from cityos.testing import builders as a


def route_of(device: Device) -> Route:
    adapter = Adapter.of_decoder("cityos_json@1", CityOSJSON())
    origin = Origin("town", "acme", "gauge-1", "t", adapter.version)
    return Route("t", "town", "acme", device, adapter, origin, Actual(), "")


def test_the_hint_on_an_unknown_entity_is_one_that_a_vendor_can_follow() -> None:
    route = route_of(a.device())
    said = Observation("water_level", 1.0, entity="lot-a")
    with pytest.raises(Rejected) as refused:
        route.slot(said, cast("Any", None))
    assert refused.value.reason == Reason.UNKNOWN_ENTITY
    assert "leave `entity` out" in refused.value.hint
    assert "ask the city's operator" in refused.value.hint


def test_an_adapter_gets_its_own_settings_and_not_the_engines_mark() -> None:
    own = {"prefectures": ["22"]}
    for settings in (own, {REHEARSAL_ONLY: True, **own}):
        route = route_of(replace(a.device(), settings=settings))
        assert route.receipt(a.NOON).settings == own


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("water_lvl", "did you mean 'water_level'?"),
        ("WATER_LEVEL", "did you mean 'water_level'?"),
        ("x" * 100_000, "GET /v1/observed-properties"),
        ("雨量", "GET /v1/observed-properties"),
    ],
)
def test_the_hint_on_an_unknown_property_names_the_nearest(said: str, meant: str) -> None:
    with pytest.raises(Rejected) as refused:
        route_of(a.device()).slot(Observation(said, 1.0), cast("Any", None))
    assert refused.value.reason == Reason.UNKNOWN_PROPERTY
    assert refused.value.hint.startswith(meant)
