"""Tells the kinds of recordings apart, by what is in a file and not by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Final

from cityos.errors import InvalidRequest
from cityos.rehearsal.readers.fukui_levels import HEADER, FukuiLevels, describes_gauges
from cityos.rehearsal.readers.jma_telegrams import JmaTelegrams, is_telegram
from cityos.rehearsal.readers.recorded_lines import (
    LONGEST_LINE,
    RecordedLines,
    is_recorded_line,
)
from cityos.rehearsal.recording import Recording, Skipped

_HEAD_BYTES: Final = 65_536
_MOST_FILES: Final = 10_000
KNOWN: Final = (
    f"river levels of Fukui (CSV with the header {HEADER}), JMA telegrams (XML), "
    "or recorded messages (JSON lines with time, topic and payload)"
)


class Kind(Enum):
    """What a file turned out to be."""

    FUKUI_LEVELS = "Fukui river levels"
    JMA_TELEGRAM = "JMA telegram"
    RECORDED_LINES = "recorded messages"
    DESCRIPTION = "description of gauges"
    UNKNOWN = "no recording"


_READERS: Final[dict[Kind, Callable[[Sequence[Path]], Recording]]] = {
    Kind.FUKUI_LEVELS: FukuiLevels,
    Kind.JMA_TELEGRAM: JmaTelegrams,
    Kind.RECORDED_LINES: RecordedLines,
}


def open_recordings(source: Path) -> tuple[Sequence[Recording], Skipped]:
    """Return the recordings in a file or a folder, and the files that are none.

    Raises:
        InvalidRequest: there is no recording there; says what would be one.
    """
    if source.is_file():
        kind = kind_of(source)
        if kind not in _READERS:
            message = f"{source.name} is {kind.value}; what can be replayed is {KNOWN}"
            raise InvalidRequest(message, parameter="source")
        return [_READERS[kind]([source])], Skipped()
    if not source.is_dir():
        message = f"there is no file or folder {source}"
        raise InvalidRequest(message, parameter="source")
    return _open_folder(source)


def kind_of(path: Path) -> Kind:
    """Return what the file is, from its first bytes."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf")
        if head.startswith(b"{") and b"\n" not in head:
            head += file.readline(LONGEST_LINE)
    first = head.split(b"\n", 1)[0].strip()
    if is_recorded_line(first):  # before the others: what it recorded may be one of them
        return Kind.RECORDED_LINES
    if is_telegram(head):
        return Kind.JMA_TELEGRAM
    text = first.decode("utf-8", "replace")
    if text == HEADER:
        return Kind.FUKUI_LEVELS
    if describes_gauges(text):
        return Kind.DESCRIPTION
    return Kind.UNKNOWN


def _open_folder(folder: Path) -> tuple[Sequence[Recording], Skipped]:
    files: dict[Kind, list[Path]] = {}
    skipped = Skipped()
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in entries[:_MOST_FILES]:
        if not path.is_file():
            continue
        kind = kind_of(path)
        files.setdefault(kind, []).append(path)
        if kind is Kind.UNKNOWN:
            skipped.add("the file is no recording", path.name)
    if len(entries) > _MOST_FILES:
        message = f"{folder} holds more than {_MOST_FILES} files; replay a part of them"
        raise InvalidRequest(message, parameter="source")
    recordings = [_READERS[kind](paths) for kind, paths in files.items() if kind in _READERS]
    if not recordings:
        inner = next((path.name for path in entries if path.is_dir()), "")
        hint = f" (its folders, such as {inner}, are not searched)" if inner else ""
        message = f"there is no recording in {folder}{hint}; what can be replayed is {KNOWN}"
        raise InvalidRequest(message, parameter="source")
    return recordings, skipped
