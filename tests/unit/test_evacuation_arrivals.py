"""The service ``evacuation_alert`` and time: late, corrected, shuffled, forgotten readings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cityos.domain.alert_level import AlertLevel
from cityos.domain.observation import Quality, Reading
from cityos.domain.occasion import Exercise
from tests.evacuation_town import AREA, GAUGE, OTHER, START, Town, area, gauge, minute


def test_a_late_low_reading_lowers_nothing() -> None:
    here = Town(gauge())
    here.observe(0, 6.2)
    here.observe(60, 5.0)
    assert here.observe(10, 5.0, received=61) == []  # low since minute 10 now, but not by this
    (said,) = here.observe(70, 5.0)
    assert said.level is AlertLevel.NONE


def test_a_late_peak_that_newer_readings_ended_raises_nothing() -> None:
    here = Town(gauge())
    for at in range(20, 100, 10):
        here.observe(at, 3.0)
    assert here.observe(10, 6.3, received=95) == []
    assert here.observe(100, 3.0) == []


def test_a_late_peak_that_nothing_ended_yet_counts() -> None:
    here = Town(gauge())
    here.observe(20, 5.9)
    (said,) = here.observe(10, 6.3, received=21)
    assert said.level is AlertLevel.EVACUATE
    assert said.at == minute(20)
    assert said.evidence[0].value == 5.9
    assert "6.30 m が氾濫危険水位 6.10 m に到達（9月1日9時10分）" in said.evidence[0].summary.ja
    assert "まだ60分続いていない" in said.evidence[0].summary.ja


def test_a_late_reading_may_show_that_the_holding_time_was_not_kept() -> None:
    """Lifted too early for want of a reading: until the time is over the order stands again."""
    here = Town(gauge(evacuation_level_m=None))
    for at, value in ((0, 6.2), (10, 5.0), (70, 5.0)):
        here.observe(at, value)
    assert here.levels() == [4, 0]
    (said,) = here.observe(40, 6.05, received=75)
    assert said.level is AlertLevel.EVACUATE
    here.observe(129, 5.0)
    assert here.levels() == [4, 0, 4]
    here.observe(130, 5.0)
    assert here.levels() == [4, 0, 4, 0]


def test_the_flag_of_a_late_reading_is_enough() -> None:
    here = Town(gauge())
    here.observe(0, 6.2)
    here.observe(10, 5.0)
    assert here.observe(70, 5.0, quality=Quality.LATE) == []


def test_a_slower_gauge_does_not_undo_what_a_newer_reading_elsewhere_raised() -> None:
    here = Town(gauge(area=AREA), gauge(OTHER, area=AREA), area())
    here.observe(0, 5.7)
    here.observe(10, 5.7, entity=OTHER)
    here.observe(40, 6.2)
    key = f"flood/{AREA}"
    assert here.level(key) == 4
    assert here.observe(30, 5.7, entity=OTHER, received=41) == []
    assert here.level(key) == 4


def test_a_corrected_peak_is_no_peak() -> None:
    here = Town(gauge())
    here.observe(0, 62.0)
    (said,) = here.observe(0, 0.62, quality=Quality.CORRECTED)
    assert said.level is AlertLevel.NONE


def test_an_old_record_is_no_news_in_reality_but_is_in_a_rehearsal() -> None:
    assert Town(gauge()).observe(0, 6.2, received=60 * 25) == []
    assert len(Town(gauge()).observe(0, 6.2, received=60 * 23)) == 1
    rehearsed = Town(gauge(), occasion=Exercise("practice"))
    assert len(rehearsed.observe(0, 6.2, received=60 * 24 * 365)) == 1


def test_old_records_do_not_hold_up_what_is_happening_now() -> None:
    here = Town(gauge(), hold_min=60)
    here.observe(0, 6.2)
    here.observe(10, 5.0)
    assert here.observe(60, 6.2, received=60 * 26) == []
    (said,) = here.observe(70, 5.0)
    assert said.level is AlertLevel.NONE


def test_a_spike_waits_for_a_second_reading_where_the_town_wants_that() -> None:
    here = Town(gauge(), spike_m=2.0)
    here.observe(0, 1.0)
    assert here.observe(10, 9.9) == []
    assert here.observe(20, 1.1) == []
    assert here.observe(30, 6.2) == []
    (said,) = here.observe(40, 5.5)  # confirmed: the water was at 6.2 m ten minutes ago
    assert said.level is AlertLevel.EVACUATE
    plain = Town(gauge())
    plain.observe(0, 1.0)
    assert len(plain.observe(10, 9.9)) == 1


def test_a_long_plateau_within_the_margin_is_not_forgotten() -> None:
    here = Town(gauge())
    here.observe(0, 6.1)
    for at in range(60, 60 * 30, 60):
        assert here.observe(at, 6.05) == []
    assert here.level() == 4


def test_more_samples_than_the_city_gives_do_not_hide_what_stood_before() -> None:
    """A gauge that reports every second: 10,000 values are less than three hours."""
    here = Town(gauge())
    here.observe(0, 6.2)
    for second in range(1, 11_000):
        reading = Reading(
            entity=GAUGE,
            observed_property="water_level",
            value=6.05,
            unit="m",
            observed_at=START + timedelta(seconds=second),
            received_at=START + timedelta(seconds=second),
        )
        here.city.add_reading(reading)
    assert here.observe(11_000 / 60, 6.05) == []
    assert here.level() == 4


STEPS = st.lists(
    st.tuples(st.integers(1, 30), st.integers(300, 700).map(lambda cm: cm / 100)),
    min_size=2,
    max_size=12,
)


def timeline(steps: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    ends = itertools.accumulate(step for step, _ in steps)
    return [(at, value) for at, (_, value) in zip(ends, steps, strict=True)]


@settings(max_examples=60, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_the_order_of_late_readings_does_not_matter(
    steps: list[tuple[int, float]], dice: Any
) -> None:
    """Whatever came late: once the river has spoken again, the level is what it would have been.

    A late reading itself never lowers, so the comparison is made after one more reading.
    """
    *earlier, last = timeline(steps)
    in_order = Town(gauge(), propose_from_level=1)
    for at, value in [*earlier, last]:
        in_order.observe(at, value)
    shuffled = list(earlier)
    dice.shuffle(shuffled)
    mixed = Town(gauge(), propose_from_level=1)
    for at, value in shuffled:
        mixed.observe(at, value, received=last[0])
    mixed.observe(*last)
    assert mixed.level() == in_order.level()


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_the_situation_is_never_below_what_the_newest_reading_calls_for(
    steps: list[tuple[int, float]],
) -> None:
    here = Town(gauge())
    for at, value in timeline(steps):
        here.observe(at, value)
        calls_for = 4 if value >= 6.1 else 3 if value >= 5.6 else 0
        assert here.level() >= calls_for


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_every_proposal_changes_the_level_and_a_fall_never_comes_within_the_hold(
    steps: list[tuple[int, float]],
) -> None:
    here = Town(gauge())
    points = timeline(steps)
    for at, value in points:
        here.observe(at, value)
    levels = [0, *here.levels()]
    assert all(before != after for before, after in itertools.pairwise(levels))
    thresholds = {3: 5.6, 4: 6.1}
    for before, said in zip(levels, here.said, strict=False):
        if said.level < before:
            window = [
                value
                for at, value in points
                if said.at - timedelta(minutes=60) <= minute(at) <= said.at
            ]
            assert max(window) < thresholds[before]
