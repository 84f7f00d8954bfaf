"""A decision is taken back, and what the store knows of the river is proposed again at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import pytest
from prometheus_client import CollectorRegistry

from cityos.dispatch.dispatcher import Consumer, Dispatcher
from cityos.dispatch.metrics import DispatchMetrics
from cityos.domain.alert import Alert, AlertArea, AlertInfo, ExerciseAlert, MessageType
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Entity, Name, Tenant
from cityos.domain.history import SeriesKey
from cityos.domain.occasion import PRACTICE_RUN, Actual, Exercise, Occasion
from cityos.domain.proposal import Proposal, ProposalState
from cityos.ports import IngestBatch
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter
from cityos.testing import builders as a
from services.evacuation_alert.service import EvacuationAlert
from tests.alert_path import ISSUER, AlertPath

THRESHOLDS: Final = {"evacuation_level_m": 3.0, "danger_level_m": 4.0, "overflow_level_m": 5.0}
AREA: Final = Entity(
    id="urn:ngsi-ld:Area:town:seto", type="Area", name=Name("Seto", "瀬戸"), geometry=None
)
UPPER, LOWER = (a.gauge(name, **THRESHOLDS, area=AREA.id) for name in ("upper", "lower"))
TOWN: Final = Entity(
    id="urn:ngsi-ld:Municipality:town:1",
    type="Municipality",
    name=Name("Town", "町"),
    attributes={"municipality_code": "99999"},
)


class River:
    """Two gauges of one area, from the store to the proposal."""

    def __init__(self, city: AlertPath) -> None:
        self.city = city
        PostgresRegistry(city.database).put_entities("town", [AREA, UPPER, LOWER, TOWN])
        self.writer = PostgresObservationWriter(city.database, wanted=lambda _name: True)
        consumer = Consumer(EvacuationAlert(), frozenset(["water_level"]), alerts=True)
        self.dispatcher = Dispatcher(
            city.queue(),
            {"evacuation_alert": consumer},
            clock=city.clock,
            metrics=DispatchMetrics(CollectorRegistry()),
        )

    def hear(
        self,
        level_m: float,
        gauge: Entity = UPPER,
        *,
        at: datetime | None = None,
        occasion: Occasion | None = None,
        dataset: str | None = None,
    ) -> None:
        now = self.city.clock.now()
        of = occasion or Actual()
        key = SeriesKey(
            entity=gauge.id,
            observed_property="water_level",
            dataset=of.dataset if dataset is None else dataset,
        )
        handle = self.writer.series("town", key, "m", of)
        self.writer.store(IngestBatch(values=[(handle, at or now, now, 1, level_m, 0)]))
        self.assess()

    def assess(self) -> None:
        while self.dispatcher.step():
            pass

    def pending(self) -> list[Proposal]:
        return list(self.city.orders.proposals("town", state=ProposalState.PENDING))

    def reject(self) -> Proposal:
        (waiting,) = self.pending()
        now = self.city.clock.now()
        return self.city.orders.reject("town", waiting.id, by="k", note="n", now=now)

    def again(self, proposal: Proposal) -> list[Proposal]:
        now = self.city.clock.now()
        self.city.orders.reassess("town", proposal.id, by="k", reason="a mistake", now=now)
        self.assess()
        return self.pending()


@pytest.fixture
def river(city: AlertPath) -> River:
    return River(city)


def test_the_newest_reading_is_heard_again_at_once(river: River) -> None:
    river.hear(4.2)
    rejected = river.reject()
    river.city.clock.advance(600)
    river.hear(4.3)
    assert river.pending() == []
    (proposal,) = river.again(rejected)
    assert proposal.assessment.level is AlertLevel.EVACUATE
    assert [one.value for one in proposal.assessment.evidence] == [4.3]


def test_an_ended_order_is_proposed_from_the_gauge_that_led_to_it(river: River) -> None:
    river.hear(4.2, LOWER)
    order = river.city.approve(river.pending()[0])
    now = river.city.clock.now()
    river.city.orders.cancel("town", order.identifier, issuer=ISSUER, by="k", reason="r", now=now)
    river.city.clock.advance(600)
    river.hear(0.5, UPPER)
    (proposal,) = river.again(river.city.orders.proposals("town")[0])
    assert proposal.assessment.evidence[0].source == LOWER.id


def test_a_level_that_is_held_counts_though_the_newest_value_is_below_it(river: River) -> None:
    river.hear(4.2)
    rejected = river.reject()
    river.city.clock.advance(600)
    river.hear(2.9)  # fallen, but not for as long as the rules ask
    (proposal,) = river.again(rejected)
    assert proposal.assessment.level is AlertLevel.EVACUATE


def test_a_gauge_that_fell_silent_is_no_evidence_any_more(river: River) -> None:
    river.hear(4.2)
    rejected = river.reject()
    river.city.clock.advance(4 * 3600)
    assert river.again(rejected) == []
    river.hear(4.2)  # it speaks again
    assert len(river.pending()) == 1


def test_an_exercise_hears_its_own_readings_at_their_own_time(river: River) -> None:
    drill = Exercise("drill")
    years_ago = river.city.clock.now() - timedelta(days=1000)
    river.hear(4.2, at=years_ago, occasion=drill)
    rejected = river.reject()
    river.hear(5.4)  # for real, and much higher
    (real,) = river.pending()
    assert real.assessment.level is AlertLevel.EMERGENCY_SAFETY
    (proposal,) = (one for one in river.again(rejected) if one.id != real.id)
    assert (proposal.occasion, proposal.assessment.level) == (drill, AlertLevel.EVACUATE)
    assert proposal.assessment.at == years_ago


def test_a_practice_city_hears_its_own_series(river: River) -> None:
    town = Tenant(id="town", name=Name("Town", "町"), practice=True)
    PostgresRegistry(river.city.database).put_tenant(town)
    practice = Exercise(PRACTICE_RUN)
    river.hear(4.2, occasion=practice, dataset="")
    (proposal,) = river.again(river.reject())
    assert proposal.occasion == practice


@pytest.mark.parametrize("drill", [False, True])
def test_where_a_telegram_is_the_evidence_it_is_heard_again(river: River, drill: bool) -> None:
    telegram: Alert = a.alert("jma-1", infos=(landslide(),))
    if drill:
        telegram = ExerciseAlert(
            identifier="jma-1",
            sender="authority.example.jp",
            sent=a.NOON - timedelta(days=1000),
            message_type=MessageType.ALERT,
            infos=(landslide(),),
            run="drill",
        )
    river.city.hear(telegram, supersedes="matter")
    river.assess()
    (proposal,) = river.again(river.reject())
    assert [one.source for one in proposal.assessment.evidence] == ["jma-1"]
    assert proposal.occasion == telegram.occasion


def landslide() -> AlertInfo:
    area = AlertArea(name=a.name("町"), geocodes={"municipality": ("99999",)})
    return a.info(Hazard.LANDSLIDE, AlertLevel.EVACUATE, areas=(area,))
