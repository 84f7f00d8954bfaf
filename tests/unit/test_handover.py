from __future__ import annotations

import threading
from datetime import UTC, datetime

from cityos.domain.history import SeriesKey
from cityos.domain.occasion import Actual
from cityos.ingest.handover import Handover, Prepared
from cityos.ingest.pipeline import Numbered
from cityos.ports import IngestBatch, Origin, RawBlock, SeriesHandle

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
ORIGIN = Origin("t", "v", "d", "topic", "cityos_json@1")


def portion(first: int, count: int) -> Prepared:
    """Messages ``first`` and following, prepared and packed."""
    numbers = range(first, first + count)
    batch = IngestBatch(
        stored_up_to=first + count,
        raw=[RawBlock(first, NOW, [ORIGIN] * count, [b"%d" % number for number in numbers])],
        packed=[f"packed {first}"],
    )
    group = Numbered(first, NOW, [(b"topic", b"%d" % number) for number in numbers])
    return Prepared([group], batch, size_bytes=10 * count)


def test_what_gathered_is_taken_as_one_in_its_order() -> None:
    handover = Handover(messages=100, size_bytes=1000)
    for first in (1, 4, 5):
        handover.put(portion(first, {1: 3, 4: 1, 5: 2}[first]))
    taken = handover.take(0)
    assert taken is not None
    assert [block.first_id for block in taken.batch.raw] == [1, 4, 5]
    assert [group.first_id for group in taken.groups] == [1, 4, 5]
    assert taken.batch.stored_up_to == 7
    assert taken.batch.packed == ["packed 1", "packed 4", "packed 5"]
    assert (taken.messages, taken.size_bytes) == (6, 60)
    assert handover.take(0) is None


def test_it_says_how_many_values_wait() -> None:
    handover = Handover(messages=100, size_bytes=1000)
    series = SeriesHandle(
        tenant="t",
        key=SeriesKey(entity="e", observed_property="p"),
        unit="m",
        occasion=Actual(),
        wanted=False,
    )
    for first in (1, 4):
        prepared = portion(first, 3)
        prepared.batch.values.extend((series, NOW, NOW, first, 1.0, 0) for _ in range(10))
        handover.put(prepared)
    assert handover.values == 20
    handover.take(0)
    assert handover.values == 0


def test_a_single_portion_is_handed_on_as_it_is() -> None:
    handover, only = Handover(messages=100, size_bytes=1000), portion(1, 3)
    handover.put(only)
    assert handover.take(0) is only


def test_there_is_no_room_while_the_limit_waits() -> None:
    handover = Handover(messages=5, size_bytes=1000)
    assert handover.wait_for_room(0)
    handover.put(portion(1, 4))
    assert handover.wait_for_room(0)
    handover.put(portion(5, 4))
    assert not handover.wait_for_room(0.01)
    handover.take(0)
    assert handover.wait_for_room(0)


def test_large_messages_count_by_their_bytes() -> None:
    handover = Handover(messages=100, size_bytes=40)
    handover.put(portion(1, 4))
    assert not handover.wait_for_room(0)
    handover.take(0)
    assert handover.wait_for_room(0)


def test_taking_wakes_who_waits_for_room() -> None:
    handover = Handover(messages=1, size_bytes=1000)
    handover.put(portion(1, 1))
    woken = threading.Event()

    def wait() -> None:
        if handover.wait_for_room(10):
            woken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    handover.take(0)
    assert woken.wait(5)
    waiting.join(5)


def test_putting_wakes_who_waits_for_work() -> None:
    handover = Handover(messages=1, size_bytes=1000)
    found: list[Prepared | None] = []
    waiting = threading.Thread(target=lambda: found.append(handover.take(10)))
    waiting.start()
    only = portion(1, 1)
    handover.put(only)
    waiting.join(5)
    assert found == [only]
