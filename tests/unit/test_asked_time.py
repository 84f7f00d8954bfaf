"""Which time is to be recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cityos.bootstrap.record import asked_time
from cityos.errors import InvalidRequest

pytestmark = pytest.mark.usefixtures("_japan")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-11-22", "2026-11-21T15:00"),
        ("2026-11-22T00:00:00Z", "2026-11-22T00:00"),
        ("2026-11-22T09:30:00.5+09:00", "2026-11-22T00:30:00.5"),
        ("2026-11-22T00:00-05:00", "2026-11-22T05:00"),
    ],
)
def test_a_time_has_an_offset_and_a_date_is_this_machines(text: str, means: str) -> None:
    assert asked_time(text, "2026-12-01").since == utc(means)
    assert asked_time("2026-11-01", text).until == utc(means)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-22T00:00:00", "2026-13-01", "20261122", "9999-12-31T23:00-09:00"]
)
def test_what_is_no_time_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^--until .*(must be a time such as|has no offset)"):
        asked_time("2026-11-22", text)
    with pytest.raises(InvalidRequest, match=r"^--since "):
        asked_time(text, "2026-11-22")


@pytest.mark.parametrize("until", ["2026-11-22", "2026-11-21T23:00:00+09:00"])
def test_the_end_comes_after_the_start(until: str) -> None:
    with pytest.raises(InvalidRequest, match=r"--since must be before --until, .* the next one"):
        asked_time("2026-11-22", until)


def test_how_much_of_it_lies_before_a_time() -> None:
    asked = asked_time("2026-11-22", "2026-11-24")
    assert str(asked) == "from 2026-11-22 00:00:00+09:00 until 2026-11-24 00:00:00+09:00"
    assert asked.before(utc("2026-11-20")) == timedelta(0)
    assert asked.before(utc("2026-11-22T06:00")) == timedelta(hours=15)
    assert asked.before(utc("2027-01-01")) == timedelta(days=2)
