"""The dispatcher over a real database: services of all kinds, good, broken and worse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from cityos.dispatch.approval import ExerciseApproval
from cityos.dispatch.dispatcher import Consumer, Dispatcher
from cityos.dispatch.metrics import DispatchMetrics
from cityos.dispatch.patience import Patience
from cityos.domain.alert_level import AlertLevel
from cityos.domain.event import AlertReceived, Event
from cityos.domain.observation import Reading
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import Assessment, ProposalState
from cityos.errors import Unavailable
from cityos.plugins.contract import CityView
from cityos.testing import builders as a
from tests.alert_path import ISSUER, AlertPath

WATER = frozenset({"water_level"})


class Watch:
    """Proposes the level that the reading's value names, for the reading's own entity."""

    def react(self, event: Event, city: CityView) -> Sequence[Assessment]:
        if isinstance(event, AlertReceived):
            return [a.assessment(f"bulletin/{event.alert.identifier}", moment=event.at)]
        level = AlertLevel(int(event.reading.value))  # type: ignore[arg-type]
        situation = city.situation(event.reading.entity)
        if situation is not None and situation.level == level:
            return []
        return [a.assessment(event.reading.entity, level, event.at)]


class Broken:
    """Fails in the way it was made to."""

    def __init__(self, fail: Callable[[CityView], Any]) -> None:
        self._fail = fail

    def react(self, event: Event, city: CityView) -> Sequence[Assessment]:
        del event
        return self._fail(city)


def reading(level: float, minute: int = 0, local: str = "seto") -> Reading:
    return a.reading(a.gauge(local).id, "water_level", level, a.NOON + a.minutes(minute))


class Desk:
    """A dispatcher with the services given, and what it counted."""

    def __init__(
        self,
        city: AlertPath,
        services: Mapping[str, Any],
        *,
        runs: Sequence[str] = (),
        patience: Patience | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        self.dispatcher = Dispatcher(
            city.queue(),
            {key: Consumer(service, WATER, alerts=True) for key, service in services.items()},
            clock=city.clock,
            metrics=DispatchMetrics(self.registry),
            patience=patience,
            approval=ExerciseApproval(
                city.orders,
                runs=runs,
                issuer_of=lambda _tenant: ISSUER,
                tenants=lambda: ["town"],
                clock=city.clock,
            ),
        )

    def finish(self) -> int:
        """Work until nothing is left; return how many batches it took."""
        batches = 0
        while self.dispatcher.step():
            batches += 1
        return batches

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


def situations(city: AlertPath) -> set[str]:
    return {one.assessment.situation for one in city.orders.proposals("town", limit=1000)}


def errors(city: AlertPath) -> list[str]:
    return [row[0] for row in city.rows("SELECT error FROM event ORDER BY id")]


def test_a_reading_becomes_a_proposal(city: AlertPath) -> None:
    city.happen(reading(4))
    desk = Desk(city, {"watch": Watch()})
    desk.finish()
    (proposal,) = city.orders.proposals("town")
    assert proposal.assessment.level is AlertLevel.EVACUATE
    assert proposal.service == "watch"
    assert desk.count("cityos_events_processed_total", kind="observation", status="Actual") == 1
    assert desk.count("cityos_event_reaction_seconds_count", status="Actual") == 1
    assert desk.count("cityos_proposals_total", service="watch", status="Actual", level="4") == 1
    assert errors(city) == []


def test_a_service_hears_only_what_it_asked_for(city: AlertPath) -> None:
    heard: list[str] = []

    def note(name: str) -> Broken:
        return Broken(lambda _city: heard.append(name) or [])

    registry = CollectorRegistry()
    dispatcher = Dispatcher(
        city.queue(),
        {
            "water": Consumer(note("water"), WATER),
            "rain": Consumer(note("rain"), frozenset({"precipitation_1h"})),
            "alerts": Consumer(note("alerts"), frozenset(), alerts=True),
        },
        clock=city.clock,
        metrics=DispatchMetrics(registry),
    )
    city.happen(reading(1))
    city.hear(a.alert())
    city.happen(a.reading(a.gauge().id, "co2", 400.0))
    while dispatcher.step():
        pass
    assert heard == ["water", "alerts"]
    assert city.rows("SELECT count(*) FROM event") == [(0,)]


def _divide(_city: CityView) -> Any:
    return 1 // 0


def test_a_service_that_fails_stops_neither_the_others_nor_the_queue(city: AlertPath) -> None:
    for step in range(5):
        city.happen(reading(4, step, local=f"g{step}"))
    desk = Desk(city, {"bad": Broken(_divide), "watch": Watch()})
    with capture_logs() as logs:
        desk.finish()
    assert len(situations(city)) == 5
    assert len(errors(city)) == 5
    assert all(error.startswith("bad: ZeroDivisionError") for error in errors(city))
    assert [entry["service"] for entry in logs if entry["log_level"] == "error"] == ["bad"]
    assert desk.count("cityos_service_failures_total", service="bad") == 5
    assert desk.count("cityos_events_processed_total", kind="observation", status="Actual") == 5


def _hang(_city: CityView) -> Any:
    while True:
        try:
            sum(range(1000))
        except Exception:  # noqa: BLE001, S112 - as careless as can be
            continue


def test_a_service_that_hangs_is_ended_and_rests(city: AlertPath) -> None:
    patience, stop = Patience(0.3), threading.Event()
    watching = threading.Thread(target=patience.run, args=(stop,))
    watching.start()
    desk = Desk(city, {"stuck": Broken(_hang), "watch": Watch()}, patience=patience)
    for step in range(3):
        city.happen(reading(4, step, local=f"g{step}"))
    begun_s = time.monotonic()
    with capture_logs() as logs:
        desk.finish()
    assert time.monotonic() - begun_s < 2, "only the first event was waited for"
    assert len(situations(city)) == 3, "the other service was asked about all of them"
    first, *others = errors(city)
    assert first == "stuck: it was not done in 0.3 s"
    assert others == ["stuck: it rests, for it was not done in its time before"] * 2
    [told] = [entry for entry in logs if entry["log_level"] == "error"]
    assert (told["service"], told["limit_s"]) == ("stuck", 0.3)
    assert desk.count("cityos_service_failures_total", service="stuck") == 3

    city.hear(a.alert("tsunami"))  # nobody will say it again, so it is asked about that
    desk.finish()
    assert errors(city)[-1] == "stuck: it was not done in 0.3 s"
    assert "bulletin/tsunami" in situations(city)

    city.clock.advance(5)  # it has rested: the next event is its next chance
    city.happen(reading(4, 9, local="g9"))
    desk.finish()
    assert errors(city)[-1] == "stuck: it was not done in 0.3 s"
    stop.set()
    watching.join()


def test_waiting_for_the_store_is_no_fault_of_a_service(city: AlertPath) -> None:
    patience, stop = Patience(0.1), threading.Event()
    watching = threading.Thread(target=patience.run, args=(stop,))
    watching.start()

    def ask(view: CityView) -> Any:
        view.entity(a.gauge().id)
        return []

    desk = Desk(city, {"patient": Broken(ask)}, patience=patience)
    city.happen(reading(4))
    with psycopg.connect(city.url) as holder:
        holder.execute("LOCK TABLE entity IN ACCESS EXCLUSIVE MODE")
        threading.Timer(0.5, holder.rollback).start()
        desk.finish()
    assert errors(city) == []
    stop.set()
    watching.join()


@pytest.mark.parametrize(
    "answer",
    [
        lambda _city: ["evacuate"],
        lambda _city: 7,
        lambda _city: [a.assessment("x", headline=a.name("\0"))],
        lambda _city: [a.assessment("x", moment="today")],
        lambda city: city.entity("urn:x:\0") or _divide(city),
        lambda _city: (_ for _ in ()).throw(RecursionError("too deep")),
        lambda city: city.history(a.gauge().id, "water_level", "not a time"),
        lambda city: city.history(a.gauge().id, "water_level", datetime(2026, 9, 1)),  # noqa: DTZ001
        lambda city: city.entity("\ud800") or _divide(city),
    ],
    ids=[
        "no assessment",
        "no list",
        "nul",
        "wrong type",
        "nul asked for",
        "recursion",
        "no time",
        "no zone",
        "lone surrogate",
    ],
)
def test_nonsense_from_a_service_is_the_services_own(
    city: AlertPath, answer: Callable[[CityView], Any]
) -> None:
    city.happen(reading(4))
    desk = Desk(city, {"bad": Broken(answer), "watch": Watch()})
    desk.finish()
    assert situations(city) == {a.gauge().id}
    assert [error.partition(":")[0] for error in errors(city)] == ["bad"]


def _ruin(city: Any) -> None:
    """Ends the transaction behind the view's back; no way for a service to do so is known."""
    city._connection.execute("SELECT 1 / 0")


class Poisoned(Watch):
    """Breaks the transaction on one reading."""

    def react(self, event: Event, city: CityView) -> Sequence[Assessment]:
        if isinstance(event, AlertReceived) or event.reading.value == 5:
            _ruin(city)
        return super().react(event, city)


def test_an_event_that_breaks_its_transaction_is_found_and_set_aside(city: AlertPath) -> None:
    for step, level in enumerate([1, 2, 5, 3, 4]):
        city.happen(reading(level, step, local=f"g{step}"))
    desk = Desk(city, {"poisoned": Poisoned()})
    with capture_logs() as logs:
        desk.finish()
    assert situations(city) == {a.gauge(f"g{step}").id for step in (0, 1, 3, 4)}
    assert len(errors(city)) == 1
    assert desk.count("cityos_events_unhandled_total") == 1
    assert sum(entry["log_level"] == "error" for entry in logs) >= 1


def test_a_lost_database_undoes_the_batch_and_it_comes_again(city: AlertPath) -> None:
    city.happen(reading(4))
    cut = [True]

    def cut_once(view: CityView) -> Any:
        if cut and cut.pop():
            city.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        return [a.assessment("flood/x") for _ in view.entities("WaterLevelGauge") or [1]]

    desk = Desk(city, {"watch": Broken(cut_once)})
    with pytest.raises(Unavailable):
        desk.dispatcher.step()
    assert errors(city) == [None]
    for _ in range(20):
        try:
            desk.finish()
            break
        except Unavailable:  # the pool finds its dead connections one by one
            time.sleep(0.05)
    assert len(city.orders.proposals("town")) == 1
    assert errors(city) == []


def test_a_proposal_ends_its_batch(city: AlertPath) -> None:
    for step, level in enumerate([0, 0, 3, 3, 4, 4]):
        city.happen(reading(level, step))
    assert Desk(city, {"watch": Watch()}).finish() == 3


def test_a_covered_exercise_approves_itself_step_by_step(city: AlertPath) -> None:
    drill = Exercise("drill-2026")
    for step, level in enumerate([3, 4, 4, 0]):
        city.happen(reading(level, step), occasion=drill)
    desk = Desk(city, {"watch": Watch()}, runs=["drill-*"])
    desk.finish()
    alerts = city.orders.alerts("town", status="Exercise")
    assert [alert.message_type.value for alert in alerts] == ["Cancel", "Update", "Alert"]
    assert {alert.occasion for alert in alerts} == {drill}
    assert city.orders.alerts("town") == []
    assert desk.count("cityos_exercise_approvals_total") == 3


def test_neither_an_actual_nor_another_exercise_approves_itself(city: AlertPath) -> None:
    city.happen(reading(4))
    city.happen(reading(4), occasion=Exercise("table-top"))
    Desk(city, {"watch": Watch()}, runs=["drill-*", "practice"]).finish()
    states = {one.state for one in city.orders.proposals("town")}
    assert states == {ProposalState.PENDING}
    assert city.rows("SELECT count(*) FROM outbox") == [(0,)]


def test_not_even_a_rule_for_everything_approves_an_actual(city: AlertPath) -> None:
    city.happen(reading(4))
    city.happen(reading(4), occasion=Exercise("drill"))
    Desk(city, {"watch": Watch()}, runs=["*"]).finish()
    assert city.orders.alerts("town") == []
    assert len(city.orders.alerts("town", status="Exercise")) == 1


def test_what_was_proposed_before_a_crash_is_approved_after_it(city: AlertPath) -> None:
    city.propose(a.assessment("flood/x"), occasion=Exercise("drill"))
    city.propose(a.assessment("flood/x"))
    desk = Desk(city, {"watch": Watch()}, runs=["drill"])
    desk.finish()
    (alert,) = city.orders.alerts("town", status="Exercise")
    assert city.orders.proposals("town", status="Exercise")[0].alert_identifier == alert.identifier
    assert city.orders.alerts("town") == []


def test_it_runs_until_it_is_told_to_stop_and_wakes_on_news(city: AlertPath) -> None:
    desk = Desk(city, {"watch": Watch()})
    stop = threading.Event()
    thread = threading.Thread(target=desk.dispatcher.run, args=(stop,))
    thread.start()
    try:
        for step in range(3):
            city.happen(reading(4, step, local=f"g{step}"))
            deadline = time.monotonic() + 10
            while len(situations(city)) <= step:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
