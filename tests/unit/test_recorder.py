"""What is recorded is what a replay reads: every byte, in order, in a file that is whole."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cityos.errors import CityOSError, Conflict, InvalidRequest, SetupFailed, Unavailable
from cityos.rehearsal.readers.detect import open_recordings
from cityos.rehearsal.readers.recorded_lines import LONGEST_LINE, recorded_line
from cityos.rehearsal.recorder import Written, write
from cityos.rehearsal.recording import Recorded

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TELEGRAM = b'<?xml version="1.0"?>\n<Report xmlns="http://xml.kishou.go.jp/jmaxml1/"/>'
LEVELS = "日時,河川水位,id\n2024-06-23T10:20,1.50,7\n".encode()
BROKERS_LARGEST = 1_300_000

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True).filter(lambda n: n != "alerts")
times = st.integers(-(10**15), 10**15).map(lambda n: NOON + timedelta(microseconds=n))
payloads = st.binary(max_size=200) | st.text(max_size=200).map(str.encode)
messages = st.builds(Recorded, times, names, names, payloads)


def message(payload: bytes, minute: int = 0, device: str = "koya") -> Recorded:
    return Recorded(NOON + timedelta(minutes=minute), "acme", device, payload)


def record(target: Path, *recorded: Recorded, force: bool = False) -> Written:
    return write(target, recorded, tenant="town", force=force)


def read(source: Path) -> list[Recorded]:
    (recording,), others = open_recordings(source)
    found = list(recording.messages())
    assert recording.title == "recorded messages"
    assert not recording.skipped.counts
    assert not others.counts
    return found


# --- the format ---------------------------------------------------------------------------------


@settings(deadline=None)  # it waits for a disk
@given(st.lists(messages, min_size=1, max_size=20))
@example([message(b"\xff\x00"), message(b""), message(b"\r\n"), message("\u2028\ufeff".encode())])
@example([message(TELEGRAM), message(LEVELS)])
@example([message(LEVELS), message(TELEGRAM)])
@example([message(b"x" * 70_000)])
def test_what_is_recorded_is_read_again(recorded: list[Recorded]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = record(Path(folder) / "day.jsonl", *recorded)
        assert written.messages == len(recorded)
        assert written.devices == {(said.vendor, said.device) for said in recorded}
        assert read(Path(folder) / "day.jsonl") == recorded


@pytest.mark.parametrize("byte", [b"x", b"\x01", b"\xff"])
def test_the_largest_message_is_read_again(tmp_path: Path, byte: bytes) -> None:
    record(tmp_path / "day", message(byte * BROKERS_LARGEST))
    (read_again,) = read(tmp_path / "day")
    assert read_again.payload.count(byte) == len(read_again.payload) == BROKERS_LARGEST


def test_a_line_can_be_read_by_people() -> None:
    text = recorded_line(NOON, "cityos/v1/town/acme/koya/observations", '{"水位": 1}'.encode())
    assert text.decode() == (
        '{"time":"2026-11-22T12:00:00Z","topic":"cityos/v1/town/acme/koya/observations",'
        '"payload":"{\\"水位\\": 1}"}\n'
    )
    binary = recorded_line(NOON, "t", b"\xff\x00")
    assert json.loads(binary) == {
        "time": "2026-11-22T12:00:00Z",
        "topic": "t",
        "payload_base64": "/wA=",
    }


def test_what_no_reader_would_take_is_left_out_and_counted(tmp_path: Path) -> None:
    written = record(tmp_path / "day", message(b"\xff" * LONGEST_LINE), message(b"1"))
    assert (written.messages, written.too_long) == (1, 1)
    assert read(tmp_path / "day") == [message(b"1")]


# --- the file -----------------------------------------------------------------------------------


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "day.jsonl"
    record(target, message(b"1"))
    with pytest.raises(Conflict, match=r"day\.jsonl is there already; .* --force"):
        record(target, message(b"2"))
    assert read(target) == [message(b"1")]
    record(target, message(b"2"), force=True)
    assert read(target) == [message(b"2")]
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "day.jsonl"

    def slow() -> Iterator[Recorded]:
        target.write_text("another's")
        yield message(b"1")

    with pytest.raises(Conflict):
        write(target, slow(), tenant="town", force=False)
    assert target.read_text() == "another's"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("force", [False, True])
def test_where_no_file_can_be_is_said(tmp_path: Path, force: bool) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidRequest, match="is no file; choose another name"):
        record(tmp_path / "folder", message(b"1"), force=force)
    with pytest.raises(InvalidRequest, match=r"there is no folder .*; make it first"):
        record(tmp_path / "nowhere" / "day", message(b"1"), force=force)
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [(Unavailable("away"), Unavailable), (OSError(28, "No space left on device"), SetupFailed)],
)
def test_what_breaks_off_leaves_the_older_file_as_it_was(
    tmp_path: Path, fault: Exception, told: type[CityOSError]
) -> None:
    target = tmp_path / "day.jsonl"
    record(target, message(b"1"))

    def breaking() -> Iterator[Recorded]:
        yield message(b"2")
        raise fault

    with pytest.raises(told, match=r"away|could not be written: No space left on device"):
        write(target, breaking(), tenant="town", force=True)
    assert read(target) == [message(b"1")]
    assert list(tmp_path.iterdir()) == [target]


def test_of_nothing_no_file_is_made(tmp_path: Path) -> None:
    assert record(tmp_path / "day").messages == 0
    assert list(tmp_path.iterdir()) == []
