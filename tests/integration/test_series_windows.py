"""What one event sees of a series must not depend on the batch it is in, nor on what was asked."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cityos.domain.entity import Name, Tenant
from cityos.domain.history import SeriesKey
from cityos.domain.occasion import Actual
from cityos.ports import IngestBatch
from cityos.storage import series_window
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter
from cityos.testing import builders as a
from cityos.testing.city import RecordedCity
from tests.alert_path import AlertPath

_numbers = itertools.count()
_minutes = st.integers(-30, 30)
_questions = st.lists(
    st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 60)), min_size=1, max_size=8
)


@pytest.fixture(params=["kept", "too long to keep", "no room"])
def limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "too long to keep":
        monkeypatch.setattr(series_window, "_WINDOW_LIMIT", 3)
    if request.param == "no room":
        monkeypatch.setattr(series_window, "_KEPT_LIMIT", 2)


@pytest.mark.usefixtures("limits")
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    observed=st.lists(_minutes, unique=True, max_size=8),
    events=st.lists(_minutes, min_size=1, max_size=6),
    questions=_questions,
)
def test_every_answer_is_that_of_a_city_in_memory(
    city: AlertPath,
    observed: list[int],
    events: list[int],
    questions: list[tuple[int, bool, int]],
) -> None:
    gauge = a.gauge(f"g{next(_numbers)}")
    readings = [
        a.reading(gauge.id, "water_level", float(minute), a.NOON + a.minutes(minute))
        for minute in sorted(observed)  # else some would be marked as late
    ]
    _store(city, gauge, readings)
    for minute in events:
        city.happen(a.reading(gauge.id, "water_level", 0.0), at=a.NOON + a.minutes(minute))
    known = RecordedCity(readings=readings)
    with city.queue().take(100) as works:
        for work in works:
            work.done()
        for pick, wants_latest, back in questions:
            work = works[pick % len(works)]
            at = work.event.at
            mine, theirs = work.city("watch"), known.view(at)
            if wants_latest:
                answers = [one.latest(gauge.id, "water_level") for one in (mine, theirs)]
            else:
                since = at - timedelta(minutes=back)
                answers = [
                    list(one.history(gauge.id, "water_level", since)) for one in (mine, theirs)
                ]
            assert answers[0] == answers[1]


def _store(city: AlertPath, gauge: a.Entity, readings: list[a.Reading]) -> None:
    registry = PostgresRegistry(city.database)
    registry.put_tenant(Tenant(id="town", name=Name("Town", "町")))
    registry.put_entities("town", [gauge])
    writer = PostgresObservationWriter(city.database)
    key = SeriesKey(entity=gauge.id, observed_property="water_level")
    series = writer.series("town", key, "m", Actual())
    batch = IngestBatch()
    batch.values += [
        (series, one.observed_at, one.received_at, one.raw_id, one.value, 0) for one in readings
    ]
    writer.store(batch)
