"""What a vendor is told when a topic's device may not say what it said."""

from __future__ import annotations

from typing import Any, cast

import pytest

from adapters.cityos_json.decoder import CityOSJSON
from cityos.domain.observation import Observation
from cityos.domain.occasion import Actual
from cityos.domain.rejection import Reason
from cityos.errors import Rejected
from cityos.ingest.routes import Adapter, Route
from cityos.ports import Origin
from cityos.testing import builders as a


def test_the_hint_on_an_unknown_entity_is_one_that_a_vendor_can_follow() -> None:
    adapter = Adapter.of_decoder("cityos_json@1", CityOSJSON())
    origin = Origin("town", "acme", "gauge-1", "t", adapter.version)
    route = Route("t", "town", "acme", a.device(), adapter, origin, Actual(), "")
    said = Observation("water_level", 1.0, entity="lot-a")
    with pytest.raises(Rejected) as refused:
        route.slot(said, cast("Any", None))
    assert refused.value.reason == Reason.UNKNOWN_ENTITY
    assert "leave `entity` out" in refused.value.hint
    assert "ask the city's operator" in refused.value.hint
