"""A city that has practiced goes live: nothing of its practice counts in earnest (promise P8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from cityos.bootstrap.demo import demo_city, is_live
from cityos.dispatch.dispatcher import Consumer, Dispatcher
from cityos.dispatch.metrics import DispatchMetrics
from cityos.domain.entity import Device
from cityos.domain.history import SeriesKey
from cityos.domain.occasion import Actual
from cityos.errors import Conflict
from cityos.ingest.packets import Message
from cityos.ingest.pipeline import Numbered, Pipeline
from cityos.ingest.routes import Adapter, Routes
from cityos.plugins.discovery import discover
from cityos.ports import Registry
from cityos.rehearsal import city_files
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter
from cityos.testing import builders as a
from services.evacuation_alert.service import EvacuationAlert
from tests.alert_path import AlertPath

GAUGE = a.gauge("seto", evacuation_level_m=3.0, danger_level_m=4.0, overflow_level_m=5.0)


class Town:
    """A city from the topic to the proposal. It looks at the registry before each message."""

    def __init__(self, city: AlertPath) -> None:
        self.city = city
        self.registry: Registry = PostgresRegistry(city.database)
        self.tenant = replace(self.registry.tenants()[0], practice=True)
        self.registry.put_tenant(self.tenant)
        self.registry.put_entities("town", [GAUGE])
        self.registry.put_devices(
            "town", [Device(vendor="acme", id="g1", adapter="cityos_json", entity=GAUGE.id)]
        )
        self.writer = PostgresObservationWriter(city.database, wanted=lambda _name: True)
        found = discover().decoders["cityos_json"][1]
        adapters = {"cityos_json": Adapter.of_decoder("cityos_json@1", found)}
        self.routes = Routes(self.registry, adapters, self.writer, city.clock)
        self.pipeline = Pipeline(self.routes, self.writer)
        self.sent = 0
        self.dispatcher = Dispatcher(
            city.queue(),
            {"evacuation_alert": Consumer(EvacuationAlert(), frozenset(["water_level"]))},
            clock=city.clock,
            metrics=DispatchMetrics(CollectorRegistry()),
        )

    def hear(self, level_m: float, at: datetime) -> None:
        self.sent += 1
        self.city.clock.advance(2)
        self.routes.refresh()
        said = f'{{"property":"water_level","value":{level_m},"time":"{at.isoformat()}"}}'
        message: Message = (b"cityos/v1/town/acme/g1/observations", said.encode())
        group = Numbered(self.sent, self.city.clock.now(), [message])
        self.writer.store(self.pipeline.prepare([group]))
        while self.dispatcher.step():
            pass

    def proposals(self) -> list[tuple[str, int]]:
        found = self.city.orders.proposals("town")
        return sorted((one.occasion.status, int(one.assessment.level)) for one in found)

    def datasets(self) -> list[str]:
        return [row[0] for row in self.city.rows("SELECT dataset FROM series ORDER BY dataset")]


def test_what_was_practiced_is_no_evidence_in_earnest(city: AlertPath) -> None:
    town, now = Town(city), city.clock.now()
    town.hear(5.4, now - timedelta(minutes=40))  # the drill: overflow
    assert town.proposals() == [("Exercise", 5)]

    town.registry.put_tenant(replace(town.tenant, practice=False))
    town.hear(3.1, now)  # the first real reading: level 3
    assert town.proposals() == [("Actual", 3), ("Exercise", 5)]
    [actual] = [one for one in city.orders.proposals("town") if one.occasion == Actual()]
    assert [one.value for one in actual.assessment.evidence] == [3.1]

    real, practiced = town.datasets()
    assert real == ""
    assert practiced.startswith("urn:cityos:exercise:practice-")
    reader = PostgresCityReader(city.database)
    key = SeriesKey(entity=GAUGE.id, observed_property="water_level", dataset="")
    assert [sample.value for sample in reader.history("town", key)] == [3.1]
    assert [one.value for one in reader.latest("town", dataset=practiced)] == [5.4]


def test_a_city_with_real_values_practices_no_more(city: AlertPath) -> None:
    town = Town(city)
    live = replace(town.tenant, practice=False)
    town.registry.put_tenant(live)
    town.registry.put_tenant(town.tenant)  # nothing was measured yet
    town.registry.put_tenant(live)
    town.hear(1.0, city.clock.now())
    with pytest.raises(Conflict, match="cityos replay"):
        town.registry.put_tenant(town.tenant)
    assert town.registry.tenants()[0].practice is False


def test_the_demo_stays_away_from_a_city_in_earnest(city: AlertPath) -> None:
    registry, demo = PostgresRegistry(city.database), demo_city()
    assert not is_live(registry, demo.tenant.id)
    city_files.register(demo, registry)
    assert not is_live(registry, demo.tenant.id)
    registry.put_tenant(replace(demo.tenant, practice=False))
    assert is_live(registry, demo.tenant.id)
