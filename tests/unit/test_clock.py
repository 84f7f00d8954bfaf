"""Times for people are those of this machine."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cityos.clock import for_people, local


@pytest.mark.usefixtures("_japan")
def test_a_person_reads_the_machines_own_time_with_its_offset() -> None:
    noon = datetime(2026, 11, 22, 12, 0, 1, 999, tzinfo=UTC)
    assert for_people(noon) == "2026-11-22 21:00:01+09:00"
    assert local(datetime(2026, 11, 22)) == datetime(2026, 11, 21, 15, tzinfo=UTC)  # noqa: DTZ001
