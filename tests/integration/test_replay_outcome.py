"""What is told of a replay at its end, on the real store."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

from cityos.clock import SystemClock
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Actual, Exercise, Occasion
from cityos.rehearsal.outcome import Outcome, Outcomes
from cityos.storage.reader import PostgresCityReader
from cityos.testing import builders as a
from tests.alert_path import AlertPath


def outcomes(city: AlertPath) -> Outcomes:
    reader = PostgresCityReader(city.database)
    return Outcomes("town", "typhoon", since=a.NOON, city=reader, orders=city.orders)


def propose(city: AlertPath, key: str, occasion: Occasion) -> None:
    assessment = a.assessment(key, AlertLevel.EVACUATE, city.clock.now())
    assert city.propose(assessment, occasion=occasion) is not None


def refuse(city: AlertPath, number: int, run: str, minutes: float = 1) -> None:
    city.execute(
        """
        INSERT INTO dead_letter (tenant_id, raw_id, received_at, vendor, device, topic, payload,
                                 reason, detail, path, hint)
        VALUES ('town', %s, %s, 'demo', 'koya', %s, '', 'undecodable', '', '', '')
        """,
        number,
        a.NOON + timedelta(minutes=minutes),
        f"cityos/v1/town/demo/koya/observations/exercise/{run}",
    )


def test_nothing_came_of_it(city: AlertPath) -> None:
    assert outcomes(city).look() == Outcome()


def test_only_what_belongs_to_the_run_counts(city: AlertPath) -> None:
    propose(city, "flood/before", Exercise("other"))
    propose(city, "flood/real", Actual())
    refuse(city, 1, "typhoon", minutes=-1)  # of an earlier replay under the same name
    refuse(city, 2, "typhoon")
    refuse(city, 3, "typhoon")
    refuse(city, 4, "other")
    propose(city, "flood/x", Exercise("typhoon"))
    assert outcomes(city).look() == Outcome(refused=Counter(undecodable=2), proposals=1)


def test_a_proposal_that_gave_way_before_anybody_decided_is_told(city: AlertPath) -> None:
    propose(city, "flood/x", Exercise("typhoon"))
    city.clock.advance(60)
    higher = a.assessment("flood/x", AlertLevel.EMERGENCY_SAFETY, city.clock.now())
    assert city.propose(higher, occasion=Exercise("typhoon")) is not None
    found = outcomes(city).look()
    assert (found.proposals, found.superseded) == (2, 1)


def test_it_waits_for_what_is_still_on_its_way(city: AlertPath) -> None:
    late = threading.Timer(1.0, propose, [city, "flood/x", Exercise("typhoon")])
    late.start()
    assert outcomes(city).settled(SystemClock(), threading.Event()).proposals == 1
    late.join()


def test_whoever_stopped_the_replay_does_not_wait(city: AlertPath) -> None:
    stop, clock = threading.Event(), SystemClock()
    stop.set()
    begun_s = clock.monotonic_s()
    outcomes(city).settled(clock, stop)
    assert clock.monotonic_s() - begun_s < 1
