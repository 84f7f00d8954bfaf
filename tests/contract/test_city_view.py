"""What every CityView answers: the city at the time of the event, on the event's own occasion.

The view in memory, which service authors test with, and the view over PostgreSQL, which the engine
gives them, are parameters of the same tests. Another one joins by a maker in ``MAKERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from cityos.domain.alert import Alert
from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Entity, Name, Tenant
from cityos.domain.history import Sample, SeriesKey
from cityos.domain.observation import Position, Quality, Reading
from cityos.domain.occasion import Actual, Exercise, Occasion
from cityos.domain.proposal import Situation
from cityos.plugins.contract import CityView
from cityos.ports import IngestBatch, ReceivedAlert
from cityos.storage.database import Database
from cityos.storage.documents import encode
from cityos.storage.lane import Lane
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter
from cityos.testing import builders as b
from cityos.testing.city import ReceivedBulletin, RecordedCity
from tests.alert_path import alert_path

TOWN = "town"
SERVICE = "flood_watch"
SETO = b.gauge("seto").id
ASAHI = b.gauge("asahi").id
ACTUAL = Actual()
REHEARSAL = Exercise("r1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is in the city."""

    entities: Sequence[Entity] = (b.gauge("seto"), b.gauge("asahi"))
    readings: Sequence[Reading] = ()
    situations: Sequence[Situation] = ()
    bulletins: Sequence[ReceivedBulletin] = ()


class LookAt(Protocol):
    def __call__(
        self,
        known: Known,
        at: datetime = ...,
        occasion: Occasion = ...,
        dataset: str = ...,
    ) -> CityView: ...


@contextmanager
def in_memory(_: pytest.FixtureRequest) -> Iterator[LookAt]:
    def look(
        known: Known, at: datetime = b.NOON, occasion: Occasion = ACTUAL, dataset: str = ""
    ) -> CityView:
        city = RecordedCity(
            entities=known.entities,
            readings=known.readings,
            situations=known.situations,
            bulletins=known.bulletins,
        )
        return city.view(at, occasion=occasion, dataset=dataset)

    yield look


OTHERS_AT = (timedelta(hours=-1), timedelta(minutes=-7), timedelta(), timedelta(hours=1))


@contextmanager
def over_postgresql(request: pytest.FixtureRequest) -> Iterator[LookAt]:
    """The view that a service gets with an event, as the engine takes it off the queue.

    There are events around it in the same batch, and services have looked at the city at their
    times first: what one event sees must not depend on its neighbours.
    """
    url: str = request.getfixturevalue("database_url")
    with alert_path(url) as path, ExitStack() as open_work:

        def look(
            known: Known, at: datetime = b.NOON, occasion: Occasion = ACTUAL, dataset: str = ""
        ) -> CityView:
            store(path.database, known, occasion)
            path.execute("DELETE FROM event")  # those that storing made
            trigger = b.reading(SETO, "status_text", "trigger", at, dataset=dataset)
            mine = path.happen(trigger, at=at, occasion=occasion)
            for distance in OTHERS_AT:
                path.happen(trigger, at=at + distance, occasion=occasion)
            works = open_work.enter_context(path.queue().take(1 + len(OTHERS_AT)))
            assert len(works) == 1 + len(OTHERS_AT)
            for work in works:
                if work.event.id != mine:
                    look_around(work.city(SERVICE), work.event.at)
            return next(work.city(SERVICE) for work in works if work.event.id == mine)

        yield look


def look_around(view: CityView, at: datetime) -> None:
    view.entity(SETO)
    view.entities("WaterLevelGauge")
    view.latest(SETO, "water_level")
    view.history(SETO, "water_level", at - timedelta(minutes=3))
    view.history(SETO, "open", at - timedelta(days=2))
    view.situation("flood/a")
    view.situations()
    view.bulletins_in_force()


def store(database: Database, known: Known, occasion: Occasion) -> None:
    """Put it in by the engine's own ways; situations of a neighbour too, who must not be seen."""
    registry = PostgresRegistry(database)
    registry.put_tenant(Tenant(id=TOWN, name=Name("Town", "町")))
    registry.put_tenant(Tenant(id="neighbour", name=Name("Neighbour", "隣町")))
    registry.put_entities(TOWN, known.entities)
    writer = PostgresObservationWriter(database)
    batch = IngestBatch()
    for reading in known.readings:
        key = SeriesKey(
            entity=reading.entity,
            observed_property=reading.observed_property,
            dataset=reading.dataset,
        )
        series = writer.series(TOWN, key, reading.unit, occasion)
        batch.values.append(
            (
                series,
                reading.observed_at,
                reading.received_at,
                reading.raw_id,
                reading.value,
                int(reading.quality),
            )
        )
    batch.alerts += [
        ReceivedAlert(
            tenant=TOWN,
            dataset="",
            alert=bulletin.alert,
            supersedes=bulletin.supersedes,
            valid_until=bulletin.valid_until,
            raw_id=number,
        )
        for number, bulletin in enumerate(known.bulletins, 1)
    ]
    writer.store(batch)
    lane = Lane.of(TOWN, occasion)
    for situation in known.situations:
        insert_situation(database, lane, SERVICE, situation)
    for other, service in (
        (Lane.of(TOWN, Exercise("another")), SERVICE),
        (lane._replace(tenant="neighbour"), SERVICE),
        (lane, "another_service"),
    ):
        insert_situation(database, other, service, b.situation("flood/of-another"))


def insert_situation(database: Database, lane: Lane, service: str, of: Situation) -> None:
    with database.connection() as connection:
        if of.in_force is not None:
            connection.execute(
                "INSERT INTO alert (tenant_id, status, run, identifier, sender, sent, "
                "message_type, ours, source, level, document) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, true, %s, %s, %s)",
                (
                    *lane,
                    of.in_force.identifier,
                    of.in_force.sender,
                    of.in_force.sent,
                    of.in_force.message_type.value,
                    service,
                    int(of.in_force.level),
                    encode(of.in_force),
                ),
            )
        connection.execute(
            "INSERT INTO situation (tenant_id, status, run, service, key, level, peak, revision, "
            "opened_at, changed_at, in_force) VALUES (%s, %s, %s, %s, %s, %s, %s, 1, %s, %s, %s)",
            (
                *lane,
                service,
                of.key,
                int(of.level),
                int(of.peak),
                of.opened_at,
                of.changed_at,
                of.in_force and of.in_force.identifier,
            ),
        )


MAKERS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[LookAt]]] = {
    "memory": in_memory,
    "postgresql": over_postgresql,
}


@pytest.fixture(params=MAKERS)
def look(request: pytest.FixtureRequest) -> Iterator[LookAt]:
    with MAKERS[request.param](request) as maker:
        yield maker


def level(value: float, minute: float = 0, *, of: str = SETO, dataset: str = "") -> Reading:
    return b.reading(of, "water_level", value, b.NOON + b.minutes(minute), dataset=dataset)


def values(samples: Sequence[Sample]) -> list[object]:
    return [sample.value for sample in samples]


def known_bulletin(
    identifier: str,
    minute: float,
    *,
    about: str = "",
    until: float | None = None,
    occasion: Occasion | None = None,
    alert_level: AlertLevel = AlertLevel.EVACUATE,
) -> ReceivedBulletin:
    sent = b.NOON + b.minutes(minute)
    bulletin = b.bulletin(identifier, sent, infos=(b.info(level=alert_level),))
    alert: Alert = bulletin.on(occasion or Actual())
    end = None if until is None else b.NOON + b.minutes(until)
    return ReceivedBulletin(alert, about or identifier, end)


def identifiers(alerts: Sequence[Alert]) -> list[str]:
    return [alert.identifier for alert in alerts]


# --- entities -----------------------------------------------------------------------------------


def test_an_entity_comes_whole(look: LookAt) -> None:
    gauge = Entity(
        id=SETO,
        type="WaterLevelGauge",
        name=Name("Seto", "瀬戸"),
        position=Position(138.32, 34.86),
        geometry={"type": "Point", "coordinates": [138.32, 34.86]},
        attributes={"danger_level_m": 4.5, "hazards": ["flood"], "river_ja": "瀬戸川"},
    )
    view = look(Known(entities=[gauge]))
    assert view.entity(SETO) == gauge
    assert view.entity("urn:ngsi-ld:WaterLevelGauge:town:none") is None


def test_entities_of_a_type_come_by_id(look: LookAt) -> None:
    bus = b.entity("urn:ngsi-ld:Bus:town:1", "Bus")
    view = look(Known(entities=[b.gauge("seto"), bus, b.gauge("asahi"), b.gauge("B10")]))
    found = view.entities("WaterLevelGauge")
    assert [entity.id.rpartition(":")[2] for entity in found] == ["B10", "asahi", "seto"]
    assert list(view.entities("RainGauge")) == []


# --- readings -----------------------------------------------------------------------------------


def test_latest_is_the_latest_observed_not_after_the_event(look: LookAt) -> None:
    known = Known(readings=[level(3, -1), level(1, -3), level(2, -2), level(9, 1)])
    sample = look(known).latest(SETO, "water_level")
    assert sample is not None
    assert sample.value == 3.0
    assert sample.observed_at == b.NOON - b.minutes(1)


def test_latest_at_the_moment_of_the_event_counts(look: LookAt) -> None:
    view = look(Known(readings=[level(1, -1), level(2, 0)]))
    sample = view.latest(SETO, "water_level")
    assert sample is not None
    assert sample.value == 2.0


def test_latest_before_the_first_reading_is_none(look: LookAt) -> None:
    view = look(Known(readings=[level(1, 5)]))
    assert view.latest(SETO, "water_level") is None
    assert view.latest(SETO, "discharge") is None
    assert view.latest("urn:ngsi-ld:Bus:town:none", "speed") is None


def test_a_sample_keeps_what_is_known_of_it(look: LookAt) -> None:
    reading = Reading(
        entity=SETO,
        observed_property="water_level",
        value=1.5,
        unit="m",
        observed_at=b.NOON - b.minutes(10),
        received_at=b.NOON - b.minutes(2),
        quality=Quality.LATE | Quality.TIME_ASSUMED,
        raw_id=77,
    )
    assert look(Known(readings=[reading])).latest(SETO, "water_level") == Sample(
        reading.observed_at, 1.5, reading.received_at, reading.quality, 77
    )


@pytest.mark.parametrize(
    ("observed_property", "value"),
    [
        ("position", Position(138.3, 34.9)),
        ("open", False),
        ("status_text", "清掃中"),
        ("water_level", 0.0),
        ("water_level", -1.25),
    ],
)
def test_every_kind_of_value_comes_back_as_it_is(
    look: LookAt, observed_property: str, value: Position | bool | str | float
) -> None:
    view = look(Known(readings=[b.reading(SETO, observed_property, value)]))
    sample = view.latest(SETO, observed_property)
    assert sample is not None
    assert sample.value == value
    assert type(sample.value) is type(value)


def test_history_is_closed_on_both_sides_and_oldest_first(look: LookAt) -> None:
    readings = [level(minute, minute) for minute in (-30, -5, -20, 0, -10, 1)]
    view = look(Known(readings=readings))
    found = view.history(SETO, "water_level", b.NOON - b.minutes(20))
    assert values(found) == [-20, -10, -5, 0]
    assert values(view.history(SETO, "water_level", b.NOON + b.minutes(1))) == []
    assert values(view.history(ASAHI, "water_level", b.NOON - b.minutes(20))) == []


def test_a_long_history_ends_with_the_newest_ten_thousand(look: LookAt) -> None:
    readings = [level(number / 1000, -number / 60) for number in range(10_010)]
    found = look(Known(readings=readings)).history(SETO, "water_level", b.NOON - timedelta(days=1))
    assert len(found) == 10_000
    assert (found[0].value, found[-1].value) == (9.999, 0.0)


def test_series_of_other_things_properties_and_datasets_do_not_mix(look: LookAt) -> None:
    known = Known(
        readings=[
            level(1, -3),
            level(2, -2, of=ASAHI),
            b.reading(SETO, "discharge", 3, b.NOON - b.minutes(1)),
            level(4, 0, dataset="urn:cityos:exercise:r1"),
        ]
    )
    view = look(known)
    assert values(view.history(SETO, "water_level", b.NOON - b.minutes(60))) == [1]
    assert values(view.history(ASAHI, "water_level", b.NOON - b.minutes(60))) == [2]


def test_an_exercise_sees_its_own_readings_only(look: LookAt) -> None:
    known = Known(
        readings=[
            level(1, -3),
            level(2, -2, dataset=REHEARSAL.dataset),
            level(3, -1, dataset=Exercise("r2").dataset),
        ]
    )
    view = look(known, occasion=REHEARSAL, dataset=REHEARSAL.dataset)
    assert values(view.history(SETO, "water_level", b.NOON - b.minutes(60))) == [2]
    sample = view.latest(SETO, "water_level")
    assert sample is not None
    assert sample.value == 2.0


def test_names_that_no_store_can_have_are_just_not_there(look: LookAt) -> None:
    view = look(Known(readings=[level(1)]))
    assert view.entity("urn:x:\0") is None
    assert list(view.entities("\0")) == []
    assert view.latest("urn:x:\0", "water_level") is None
    assert list(view.history(SETO, "water\0level", b.NOON)) == []
    assert view.situation("\0") is None


# --- situations ---------------------------------------------------------------------------------


def test_situations_are_this_services_own_by_key(look: LookAt) -> None:
    order = b.alert("order-1", b.NOON - b.minutes(30))
    flood = b.situation(
        "flood/b",
        AlertLevel.ELDERLY_EVACUATE,
        b.NOON - b.minutes(60),
        peak=AlertLevel.EVACUATE,
        changed_at=b.NOON - b.minutes(5),
        in_force=order,
    )
    rain = b.situation("flood/a", AlertLevel.CONFIRM_ROUTES)
    view = look(Known(situations=[flood, rain]))
    assert view.situation("flood/b") == flood
    assert list(view.situations()) == [rain, flood]
    assert view.situation("flood/of-another") is None


def test_without_situations_there_are_none(look: LookAt) -> None:
    view = look(Known())
    assert view.situation("flood/a") is None
    assert list(view.situations()) == []


# --- bulletins ----------------------------------------------------------------------------------


def test_bulletins_in_force_come_oldest_first(look: LookAt) -> None:
    view = look(Known(bulletins=[known_bulletin("b", -5), known_bulletin("a", -10)]))
    assert identifiers(view.bulletins_in_force()) == ["a", "b"]


def test_a_bulletin_of_the_future_is_not_known_yet(look: LookAt) -> None:
    view = look(Known(bulletins=[known_bulletin("now", 0), known_bulletin("later", 1)]))
    assert identifiers(view.bulletins_in_force()) == ["now"]


def test_a_bulletin_ends_with_its_validity(look: LookAt) -> None:
    known = Known(
        bulletins=[
            known_bulletin("over", -30, until=-1),
            known_bulletin("ends-now", -20, until=0),
            known_bulletin("stands", -10, until=1),
            known_bulletin("open-end", -5),
        ]
    )
    assert identifiers(look(known).bulletins_in_force()) == ["stands", "open-end"]


def test_the_newer_of_one_matter_takes_the_place_of_the_older(look: LookAt) -> None:
    known = Known(
        bulletins=[
            known_bulletin("warning-1", -30, about="saga"),
            known_bulletin("other-1", -20, about="nara"),
            known_bulletin("warning-2", -10, about="saga"),
        ]
    )
    assert identifiers(look(known).bulletins_in_force()) == ["other-1", "warning-2"]


def test_before_the_newer_was_sent_the_older_stands(look: LookAt) -> None:
    known = Known(
        bulletins=[
            known_bulletin("warning-1", -30, about="saga"),
            known_bulletin("warning-2", 10, about="saga"),
        ]
    )
    assert identifiers(look(known).bulletins_in_force()) == ["warning-1"]


def test_an_older_one_that_comes_late_does_not_come_back(look: LookAt) -> None:
    known = Known(
        bulletins=[
            known_bulletin("warning-2", -10, about="saga"),
            known_bulletin("warning-1", -30, about="saga"),
        ]
    )
    assert identifiers(look(known).bulletins_in_force()) == ["warning-2"]


def test_when_the_newer_has_ended_the_older_is_not_in_force_again(look: LookAt) -> None:
    known = Known(
        bulletins=[
            known_bulletin("warning-1", -30, about="saga"),
            known_bulletin("warning-2", -10, about="saga", until=-5),
        ]
    )
    assert identifiers(look(known).bulletins_in_force()) == []


def test_one_that_says_that_it_is_over_stands_too(look: LookAt) -> None:
    """A service has to hear that a warning was lifted: level NONE, in the place of the warning."""
    known = Known(
        bulletins=[
            known_bulletin("warning", -30, about="saga"),
            known_bulletin("lifted", -10, about="saga", alert_level=AlertLevel.NONE),
        ]
    )
    found = look(known).bulletins_in_force()
    assert [(alert.identifier, alert.level) for alert in found] == [("lifted", AlertLevel.NONE)]


def test_bulletins_of_another_occasion_are_not_seen(look: LookAt) -> None:
    known = Known(
        bulletins=[
            known_bulletin("real", -30),
            known_bulletin("drill", -20, occasion=REHEARSAL),
            known_bulletin("other-drill", -10, occasion=Exercise("r2")),
        ]
    )
    assert identifiers(look(known).bulletins_in_force()) == ["real"]


def test_an_exercise_sees_its_own_bulletins_only(look: LookAt) -> None:
    known = Known(
        bulletins=[known_bulletin("real", -30), known_bulletin("drill", -20, occasion=REHEARSAL)]
    )
    view = look(known, occasion=REHEARSAL, dataset=REHEARSAL.dataset)
    found = view.bulletins_in_force()
    assert identifiers(found) == ["drill.exercise.r1"]
    assert found[0].occasion == REHEARSAL
