"""What every EventQueue does: order within a lane, exactly once, nobody blocked."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from cityos.domain.alert import ExerciseAlert, MessageType
from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import Name, Tenant
from cityos.domain.event import AlertReceived, ObservationStored
from cityos.domain.history import SeriesKey
from cityos.domain.observation import Position, Quality, Reading
from cityos.domain.occasion import Actual, Exercise
from cityos.errors import InvalidPlugin
from cityos.ports import IngestBatch, ReceivedAlert
from cityos.storage.failed_events import PostgresFailedEvents
from cityos.storage.news import AlertNews, AlertNotice
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter
from cityos.testing import builders as a
from tests.alert_path import AlertPath


def level(value: float, minute: int = 0) -> object:
    return a.reading(a.gauge().id, "water_level", value, a.NOON + a.minutes(minute))


def waiting(city: AlertPath) -> int:
    return int(city.rows("SELECT count(*) FROM event WHERE failed_at IS NULL")[0][0])


def take_all(city: AlertPath, limit: int = 1) -> list[tuple[str, str, int]]:
    """Handle everything; return tenant, status and id in the order in which they came."""
    queue, seen = city.queue(), []
    while True:
        with queue.take(limit) as works:
            if not works:
                return seen
            for work in works:
                seen.append((work.tenant, work.event.occasion.status, work.event.id))
                work.done()


def test_a_reading_arrives_as_it_was_stored(city: AlertPath) -> None:
    reading = a.reading(
        "urn:x:bus", "position", Position(138.3, 34.9), quality=Quality.LATE, dataset="urn:x:d"
    )
    number = city.happen(reading, at=a.NOON + a.minutes(1))
    with city.queue().take() as works:
        event = works[0].event
    assert event == ObservationStored(
        id=number, occasion=Actual(), at=a.NOON + a.minutes(1), reading=reading
    )


def test_an_alert_arrives_as_it_was_stored_and_is_announced(city: AlertPath) -> None:
    news = AlertNews(city.url, application="test-news")
    assert list(news.follow(0.1)) == []
    alert = a.alert("jma-1")
    number = city.hear(alert)
    with city.queue().take() as works:
        assert works[0].event == AlertReceived(
            id=number, occasion=Actual(), at=alert.sent, alert=alert
        )
        works[0].done()
    assert next(news.follow(5)) == AlertNotice("town", "jma-1", "Actual")
    news.close()


def test_what_ingest_writes_is_what_services_hear(city: AlertPath) -> None:
    registry = PostgresRegistry(city.database)
    registry.put_tenant(Tenant(id="town", name=Name("Town", "町")))
    registry.put_entities("town", [a.gauge()])
    writer = PostgresObservationWriter(city.database, wanted=lambda _name: True)
    drill = Exercise("drill")
    key = SeriesKey(entity=a.gauge().id, observed_property="water_level", dataset=drill.dataset)
    series = writer.series("town", key, "m", drill)
    telegram = ExerciseAlert(
        identifier="jma-1",
        sender="jma",
        sent=a.NOON,
        message_type=MessageType.ALERT,
        infos=(a.info(),),
        run="drill",
    )
    batch = IngestBatch()
    batch.values.append((series, a.NOON, a.NOON + a.minutes(1), 7, 4.5, int(Quality.LATE)))
    batch.alerts.append(ReceivedAlert("town", drill.dataset, telegram, "flood", None, 8))
    writer.store(batch)
    with city.queue().take(10) as works:
        events = [work.event for work in works]
        dataset = [work.city("x").latest(a.gauge().id, "water_level") for work in works]
    reading = Reading(
        entity=a.gauge().id,
        observed_property="water_level",
        value=4.5,
        unit="m",
        observed_at=a.NOON,
        received_at=a.NOON + a.minutes(1),
        quality=Quality.LATE,
        dataset=drill.dataset,
        raw_id=7,
    )
    assert events == [
        ObservationStored(id=events[0].id, occasion=drill, at=a.NOON, reading=reading),
        AlertReceived(id=events[1].id, occasion=drill, at=a.NOON, alert=telegram),
    ]
    assert [sample and sample.value for sample in dataset] == [4.5, 4.5]


def test_events_of_a_lane_come_oldest_first_in_batches(city: AlertPath) -> None:
    numbers = [city.happen(level(step)) for step in range(7)]
    sizes = []
    queue = city.queue()
    seen = []
    while True:
        with queue.take(3) as works:
            sizes.append(len(works))
            for work in works:
                seen.append(work.event.id)
                work.done()
        if not works:
            break
    assert seen == numbers
    assert sizes == [3, 3, 1, 0]


def test_what_is_not_done_stays(city: AlertPath) -> None:
    first, second = city.happen(level(1)), city.happen(level(2))
    with city.queue().take(2) as works:
        works[0].done()
    with city.queue().take(2) as works:
        assert [work.event.id for work in works] == [second]
    assert first < second


def test_an_error_undoes_the_effects_and_leaves_the_events(city: AlertPath) -> None:
    city.happen(level(1))

    def crash() -> None:
        with city.queue().take() as works:
            works[0].perform("flood_watch", [a.assessment("flood/x")])
            works[0].done()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    assert waiting(city) == 1
    assert city.orders.proposals("town") == []


def test_effects_and_removal_are_one(city: AlertPath) -> None:
    city.happen(level(1))
    with city.queue().take() as works:
        made = works[0].perform("flood_watch", [a.assessment("flood/x"), a.assessment("flood/y")])
        works[0].done()
    assert waiting(city) == 0
    assert {proposal.id for proposal in city.orders.proposals("town")} == {one.id for one in made}


def test_an_effect_that_cannot_be_kept_harms_no_other(city: AlertPath) -> None:
    city.happen(level(1))
    broken = [
        [a.assessment("flood/z"), a.assessment("flood/nul", headline=a.name("a\0b"))],
        [a.assessment("flood/z"), "evacuate"],
        [a.assessment("flood/z", 7)],
    ]
    with city.queue().take() as works:
        for effects in broken:
            with pytest.raises(Exception, match=r"unsupported|Assessment|cannot be kept"):
                works[0].perform("broken", effects)
        made = works[0].perform("flood_watch", [a.assessment("flood/x")])
        works[0].done()
    assert [proposal.assessment.situation for proposal in made] == ["flood/x"]
    assert len(city.orders.proposals("town")) == 1


def test_a_wrong_effect_is_the_plugins_fault(city: AlertPath) -> None:
    city.happen(level(1))
    with city.queue().take() as works, pytest.raises(InvalidPlugin, match="flood_watch"):
        works[0].perform("flood_watch", ["evacuate"])


def test_a_service_that_failed_leaves_the_event_to_a_person(city: AlertPath) -> None:
    number, other = city.happen(level(1)), city.happen(level(2))
    with city.queue().take(2) as works:
        works[0].set_aside("bad", "ValueError: no such\0gauge")
        works[0].perform("flood_watch", [a.assessment("flood/x")])
        for work in works:
            work.done()
    assert city.rows("SELECT id, error FROM event") == [(number, "bad: ValueError: no suchgauge")]
    assert len(city.orders.proposals("town")) == 1
    assert other not in {row[0] for row in city.rows("SELECT id FROM event")}
    assert take_all(city) == []


def test_an_event_can_be_set_aside_from_outside(city: AlertPath) -> None:
    number = city.happen(level(1))
    city.queue().fail(number, "it broke everything")
    assert take_all(city) == []
    assert city.rows("SELECT error FROM event") == [("it broke everything",)]


@pytest.mark.parametrize(
    "document",
    ['{"entity": 1}', "[]", '"text"', '{"entity": "urn:x:y", "quality": "good"}', "{}"],
)
def test_an_unreadable_event_is_set_aside_and_the_next_is_taken(
    city: AlertPath, document: str
) -> None:
    for kind in ("observation", "alert"):
        city.execute(
            "INSERT INTO event (tenant_id, kind, status, run, dataset, at, document) "
            "VALUES ('town', %s, 'Actual', '', '', now(), %s)",
            kind,
            document,
        )
    number = city.happen(level(1))
    assert [seen[2] for seen in take_all(city)] == [number]
    errors = [row[0] for row in city.rows("SELECT error FROM event ORDER BY id")]
    assert len(errors) == 2
    assert all(errors)


def test_actual_goes_before_exercise_and_cities_take_turns(city: AlertPath) -> None:
    city.add_tenant("village")
    for step in range(3):
        city.happen(level(step), occasion=Exercise("drill"))
    for step in range(3):
        city.happen(level(step))
        city.happen(level(step), tenant="village")
    lanes = [seen[:2] for seen in take_all(city)]
    assert lanes == [
        ("town", "Actual"),
        ("village", "Actual"),
        ("town", "Actual"),
        ("village", "Actual"),
        ("town", "Actual"),
        ("village", "Actual"),
        ("town", "Exercise"),
        ("town", "Exercise"),
        ("town", "Exercise"),
    ]


def test_two_rehearsals_do_not_share_a_batch(city: AlertPath) -> None:
    for run in ("one", "two", "one"):
        city.happen(level(1), occasion=Exercise(run))
    with city.queue().take(10) as works:
        assert [work.event.occasion for work in works] == [Exercise("one")] * 2


def test_nobody_else_gets_events_of_a_lane_that_is_taken(city: AlertPath) -> None:
    city.add_tenant("village")
    for step in range(2):
        city.happen(level(step))
    elsewhere = city.happen(level(1), tenant="village")
    with city.queue().take(1) as mine:
        with city.queue().take(10) as others:
            assert [work.event.id for work in others] == [elsewhere]
            with city.queue().take(10) as nothing:
                assert nothing == []
        assert len(mine) == 1


def test_waiting_ends_when_an_event_comes(city: AlertPath) -> None:
    queue = city.queue()
    queue.wait(0.1)  # connects, and returns at once
    timer = threading.Timer(0.2, lambda: city.happen(level(1)))
    timer.start()
    started = threading.Event()
    waiter = threading.Thread(target=lambda: (queue.wait(20), started.set()))
    waiter.start()
    assert started.wait(5), "an event came and nobody was woken"
    waiter.join()
    timer.join()


def test_waiting_ends_without_an_event(city: AlertPath) -> None:
    queue = city.queue()
    for _ in range(3):
        queue.wait(0.05)


def test_the_time_of_storing_is_told(city: AlertPath) -> None:
    city.happen(level(1))
    stored = city.rows("SELECT created_at FROM event")[0][0]
    with city.queue().take() as works:
        assert works[0].stored_at == stored


# --- what perform makes of assessments ----------------------------------------------------------


def test_a_first_assessment_opens_a_situation(city: AlertPath) -> None:
    proposal = city.propose(a.assessment("flood/x", AlertLevel.ELDERLY_EVACUATE))
    assert proposal is not None
    assert proposal.revision == 1
    assert city.orders.proposal("town", proposal.id) == proposal
    assert city.rows("SELECT level, peak, opened_at, in_force FROM situation") == [
        (3, 3, a.NOON, None)
    ]


def test_a_newer_assessment_takes_the_place_of_the_one_that_waits(city: AlertPath) -> None:
    first = city.propose(a.assessment("flood/x", AlertLevel.ELDERLY_EVACUATE))
    later = a.NOON + a.minutes(10)
    second = city.propose(a.assessment("flood/x", AlertLevel.EVACUATE, later))
    assert first is not None
    assert second is not None
    assert second.revision == 2
    states = {one.id: one.state.value for one in city.orders.proposals("town")}
    assert states == {first.id: "superseded", second.id: "pending"}
    assert city.rows("SELECT level, peak, opened_at, changed_at FROM situation") == [
        (4, 4, a.NOON, later)
    ]


def test_a_fall_keeps_the_peak(city: AlertPath) -> None:
    city.propose(a.assessment("flood/x", AlertLevel.EVACUATE))
    city.propose(a.assessment("flood/x", AlertLevel.ELDERLY_EVACUATE))
    assert city.rows("SELECT level, peak FROM situation") == [(3, 4)]


def test_the_same_assessment_again_is_not_new(city: AlertPath) -> None:
    proposal = city.propose(a.assessment("flood/x"))
    again = a.assessment("flood/x", moment=a.NOON + timedelta(seconds=1))
    again = type(again)(**{**_fields(a.assessment("flood/x")), "at": again.at})
    assert city.propose(again) is None
    assert proposal is not None
    assert [one.id for one in city.orders.proposals("town")] == [proposal.id]


def test_new_evidence_is_news(city: AlertPath) -> None:
    city.propose(a.assessment("flood/x"))
    more = a.assessment("flood/x", evidence=(a.evidence(), a.evidence()))
    assert city.propose(more) is not None


def test_standing_down_from_nothing_needs_nobody(city: AlertPath) -> None:
    assert city.propose(a.assessment("flood/x", AlertLevel.NONE)) is None
    assert city.rows("SELECT * FROM situation") == []


def test_standing_down_from_a_proposal_closes_it(city: AlertPath) -> None:
    city.propose(a.assessment("flood/x", AlertLevel.EVACUATE))
    assert city.propose(a.assessment("flood/x", AlertLevel.NONE)) is None
    assert city.rows("SELECT * FROM situation") == []
    assert [one.state.value for one in city.orders.proposals("town")] == ["superseded"]


def test_a_situation_that_comes_again_counts_on(city: AlertPath) -> None:
    city.propose(a.assessment("flood/x", AlertLevel.EVACUATE))
    city.propose(a.assessment("flood/x", AlertLevel.NONE))
    again = city.propose(a.assessment("flood/x", AlertLevel.EVACUATE))
    assert again is not None
    assert again.revision == 2


def test_services_and_occasions_have_situations_of_their_own(city: AlertPath) -> None:
    for service in ("one", "two"):
        for occasion in (Actual(), Exercise("drill"), Exercise("other")):
            made = city.propose(a.assessment("flood/x"), service=service, occasion=occasion)
            assert made is not None
            assert made.revision == 1
            assert made.occasion == occasion
    assert len(city.orders.proposals("town")) == 6
    assert len(city.orders.proposals("town", status="Actual")) == 2


def _fields(assessment: object) -> dict[str, object]:
    return {name: getattr(assessment, name) for name in type(assessment).__dataclass_fields__}


def test_what_was_set_aside_is_listed_and_goes_back_into_the_queue(city: AlertPath) -> None:
    failed = PostgresFailedEvents(city.database)
    first = city.happen(level(4.5))
    second = city.hear(a.alert("jma-1"))
    other = city.happen(level(1.0), tenant="other")
    queue = city.queue()
    for number in (first, second, other):
        queue.fail(number, f"evacuation_alert: no {number}")
    assert waiting(city) == 0

    listed = failed.newest("town")
    assert [(event.id, event.subject, event.error) for event in listed] == [
        (second, "jma-1", f"evacuation_alert: no {second}"),
        (first, f"{a.gauge().id} water_level", f"evacuation_alert: no {first}"),
    ]
    assert (listed[1].status, listed[1].run, listed[1].at) == ("Actual", "", a.NOON)
    assert failed.newest("town", limit=1) == listed[:1]

    assert failed.retry("town", [first, other, 10_000]) == [first]
    assert failed.newest("town") == listed[:1]
    assert failed.retry("town") == [second]
    assert [number for _, _, number in take_all(city)] == [first, second]
    assert failed.retry("town") == []
    assert len(failed.newest("other")) == 1
