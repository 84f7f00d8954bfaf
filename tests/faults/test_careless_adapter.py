"""What an adapter hands on that no store can keep harms its own message and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from cityos.bootstrap import ingest
from cityos.domain.alert import Bulletin
from cityos.domain.observation import Observation
from cityos.ingest.routes import Adapter
from cityos.plugins.contract import Receipt
from cityos.runtime.broker import MqttBroker
from cityos.testing import builders as a
from tests.faults.ledger import register_city
from tests.ingest_town import IngestTown, connected, running_ingest


class Careless:
    """Reads as many would at first: with the standard library's JSON, and no look at the types."""

    def decode(self, payload: bytes, receipt: Receipt) -> Sequence[Observation | Bulletin]:
        said = json.loads(payload)
        if "bulletin" in said:
            sent = receipt.received_at + timedelta(days=said.get("days_ahead", 0))
            return [a.bulletin(said["bulletin"], sent, supersedes=said.get("matter", "flood"))]
        if "word" in said:
            return [said["word"]]
        dataset = said.get("dataset", "")
        return [Observation(said["property"], said["value"], None, None, None, dataset)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"property": "status_text", "value": "\ud800"}, "out_of_range"),
        ({"property": "water_level", "value": 1.0, "dataset": "\ud800"}, "out_of_range"),
        ({"property": "water_level", "value": 1.0, "dataset": "d\0"}, "out_of_range"),
        ({"property": "\ud800", "value": 1.0}, "unknown_property"),
        ({"bulletin": "b-1", "matter": "\ud800"}, "adapter_failed"),
        ({"bulletin": "b-1", "matter": "a\0"}, "undecodable"),
        ({"bulletin": "b-1", "days_ahead": 365}, "implausible_time"),
        ({"word": "dry"}, "adapter_failed"),
    ],
    ids=[
        "value",
        "dataset",
        "nul",
        "property",
        "bulletin",
        "bulletin's nul",
        "from the future",
        "a word",
    ],
)
def test_its_message_is_refused_and_its_neighbours_are_stored(
    payload: dict[str, object],
    reason: str,
    tmp_path: Path,
    mqtt_broker: MqttBroker,
    redis_url: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter = Adapter.of_decoder("cityos_json@1", Careless())
    monkeypatch.setattr(ingest, "adapters_of", lambda _plugins: {"cityos_json": adapter})
    register_city(database_url)
    good = b'{"property":"water_level","value":1.5}'
    running = running_ingest(
        tmp_path, broker=mqtt_broker, redis_url=redis_url, database_url=database_url
    )
    with running as process, connected(mqtt_broker) as vendor:
        town = IngestTown(database_url, vendor)
        for device, said in (("g1", good), ("g0", json.dumps(payload).encode()), ("g2", good)):
            vendor.publish(f"cityos/v1/t/acme/{device}/observations", said, qos=1)
        assert len(town.wait_for("SELECT value FROM observation", 2)) == 2
        assert town.wait_for("SELECT device, reason FROM dead_letter", 1) == [("g0", reason)]
        assert process.healthy
