"""The ladder of thresholds: when a rung is climbed and when it is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityos.domain.alert_level import AlertLevel
from cityos.domain.entity import NO_NAME
from services.evacuation_alert.ladder import (
    Footing,
    Point,
    Rung,
    climb,
    level_of,
    without_spikes,
)

START = datetime(2026, 9, 1, tzinfo=UTC)
HOLD = timedelta(minutes=60)
MARGIN = 0.1
RUNGS = tuple(
    Rung(AlertLevel(level), threshold, NO_NAME)
    for level, threshold in ((1, 3.5), (2, 4.8), (3, 5.6), (4, 6.1))
)


def series(*values: tuple[float, float]) -> list[Point]:
    return [Point(START + timedelta(minutes=minute), value) for minute, value in values]


def foot(*values: tuple[float, float], standing: AlertLevel = AlertLevel.NONE) -> Footing:
    footing = climb(series(*values), RUNGS, hold=HOLD, margin=MARGIN, standing=standing)
    assert footing is not None
    return footing


def level(*values: tuple[float, float], standing: AlertLevel = AlertLevel.NONE) -> int:
    return int(foot(*values, standing=standing).level)


def test_nothing_is_known_of_an_empty_series() -> None:
    assert climb([], RUNGS, hold=HOLD, margin=MARGIN) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3.49, 0), (3.5, 1), (4.79, 1), (4.8, 2), (5.6, 3), (6.0999, 3), (6.1, 4), (99.0, 4)],
)
def test_a_rise_counts_at_once_from_the_threshold_on(value: float, expected: int) -> None:
    assert level((0, value)) == expected
    assert level_of(value, RUNGS) == expected


def test_a_missing_rung_is_skipped() -> None:
    rungs = (RUNGS[0], RUNGS[3])
    assert level_of(6.0, rungs) == 1
    assert level_of(6.1, rungs) == 4


def test_thresholds_out_of_order_give_the_highest_level_that_is_reached() -> None:
    """A danger level entered below the evacuation level: the water is at the danger level."""
    rungs = (Rung(AlertLevel(3), 5.0, NO_NAME), Rung(AlertLevel(4), 4.0, NO_NAME))
    assert level_of(4.2, rungs) == 4


def test_a_fall_counts_only_after_the_whole_holding_time() -> None:
    assert level((0, 6.2), (10, 5.2)) == 4
    assert level((0, 6.2), (10, 5.2), (60, 5.2)) == 4
    assert level((0, 6.2), (10, 5.2), (69, 5.2)) == 4
    assert level((0, 6.2), (10, 5.2), (70, 5.2)) == 2


def test_the_edge_itself_is_not_below() -> None:
    """6.10 - 0.10 is exactly 6.00, whatever binary fractions say."""
    assert level((0, 6.1), (10, 6.0), (200, 6.0)) == 4
    assert level((0, 6.1), (10, 5.99), (70, 5.99)) == 3


def test_a_wave_back_over_the_edge_starts_the_waiting_again() -> None:
    assert level((0, 6.2), (10, 5.2), (60, 6.0), (70, 5.2), (129, 5.2)) == 4
    assert level((0, 6.2), (10, 5.2), (60, 6.0), (70, 5.2), (130, 5.2)) == 2


def test_a_gauge_that_was_silent_has_to_prove_the_whole_time() -> None:
    assert level((0, 6.2), (300, 1.0)) == 4
    assert level((0, 6.2), (300, 1.0), (360, 1.0)) == 0


def test_each_rung_is_left_by_itself() -> None:
    footing = foot((0, 6.2), (10, 5.55), (70, 5.55))
    assert footing.level == 3  # 5.55 is within the margin of 5.60
    assert footing.is_held
    peak = series((0, 6.2))[0]
    assert footing.reached == peak
    assert footing.left == ((RUNGS[3], peak),)


def test_what_stood_before_the_first_point_stands_until_disproved() -> None:
    assert level((0, 6.05), standing=AlertLevel.EVACUATE) == 4
    assert level((0, 5.0), (60, 5.0), standing=AlertLevel.EVACUATE) == 2
    assert level((0, 6.05)) == 3


def test_a_rung_reached_again_is_climbed_again() -> None:
    assert level((0, 6.2), (10, 1.0), (70, 1.0), (80, 5.7)) == 3


def test_a_spike_waits_for_a_second_reading() -> None:
    calm = series((0, 1.0), (10, 9.0))
    assert without_spikes(calm, 3.0) == calm[:1]
    assert without_spikes([*calm, *series((20, 1.1))], 3.0) == series((0, 1.0), (20, 1.1))
    confirmed = series((0, 1.0), (10, 9.0), (20, 9.1), (30, 9.2))
    assert without_spikes(confirmed, 3.0) == confirmed
    assert without_spikes(series((0, 1.0), (10, 4.0)), 3.0) == series((0, 1.0), (10, 4.0))


VALUES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 800).map(lambda cm: cm / 100)), min_size=1
)


def timed(steps: list[tuple[int, float]]) -> list[Point]:
    minute, points = 0, []
    for step, value in steps:
        minute += step
        points.append(Point(START + timedelta(minutes=minute), value))
    return points


def stand(points: list[Point]) -> Footing:
    footing = climb(points, RUNGS, hold=HOLD, margin=MARGIN)
    assert footing is not None
    return footing


@given(VALUES)
def test_the_level_is_never_lower_than_the_newest_value_calls_for(
    steps: list[tuple[int, float]],
) -> None:
    points = timed(steps)
    assert stand(points).level >= level_of(points[-1].value, RUNGS)


@given(VALUES)
def test_the_level_never_exceeds_the_highest_value_seen(steps: list[tuple[int, float]]) -> None:
    points = timed(steps)
    assert stand(points).level <= level_of(max(point.value for point in points), RUNGS)


@given(VALUES, st.integers(0, 50).map(lambda cm: cm / 100))
def test_higher_water_never_gives_a_lower_level(
    steps: list[tuple[int, float]], more: float
) -> None:
    points = timed(steps)
    higher = [Point(point.at, round(point.value + more, 2)) for point in points]
    assert stand(higher).level >= stand(points).level


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(600, 619)), min_size=1))
def test_water_that_wiggles_within_the_margin_never_changes_the_level(
    steps: list[tuple[int, int]],
) -> None:
    points = [
        Point(START, 6.1),
        *(
            Point(point.at, point.value)
            for point in timed([(step, cm / 100) for step, cm in steps])
        ),
    ]
    levels = {stand(points[: end + 1]).level for end in range(len(points))}
    assert levels == {AlertLevel.EVACUATE}


@given(VALUES)
def test_a_fall_is_always_preceded_by_the_whole_time_below_the_edge(
    steps: list[tuple[int, float]],
) -> None:
    """The rule in its own words, checked against the fold at every point."""
    points = timed(steps)
    before = AlertLevel.NONE
    for end in range(1, len(points) + 1):
        now = stand(points[:end]).level
        for rung in RUNGS:
            if now < rung.level <= before:
                since = points[end - 1].at - HOLD
                low = [point for point in points[:end] if point.at >= since]
                first = next(index for index, point in enumerate(points) if point.at == low[0].at)
                earlier = points[first - 1] if low[0].at > since else low[0]
                edge = round(rung.threshold - MARGIN, 6)
                assert all(point.value < edge for point in [*low, earlier])
        before = now
