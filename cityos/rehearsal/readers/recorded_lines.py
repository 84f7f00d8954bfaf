r"""Our own format of a recorded day: one JSON object a line (JSON Lines, UTF-8).

    {"time": "2026-11-22T01:02:03Z", "topic": "cityos/v1/yaizu/demo/koya/observations",
     "payload": "[{\"property\": \"water_level\", ...}]"}

``time`` is when the message was sent; ``payload`` is its text, or ``payload_base64`` its bytes.
The tenant and a rehearsal in the topic are replaced by those of the replay.
Written by ``cityos.rehearsal.recorder``.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from cityos.domain import topic
from cityos.errors import Rejected
from cityos.rehearsal.recording import Needs, Recorded, Skipped

LONGEST_LINE: Final = 2_000_000
"""In base64 it holds the largest message that our broker lets through."""


class RecordedLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line."""

    time: datetime
    topic: str
    payload: str | None = None
    payload_base64: str | None = None


class RecordedLines:
    """Recorded days, read line by line in the order in which they stand."""

    title = "recorded messages"

    def __init__(self, files: Sequence[Path]) -> None:
        self.skipped = Skipped()
        self._files = sorted(files)

    def count(self) -> int:
        return sum(1 for _ in self._lines())

    def needs(self, tenant: str) -> Needs:  # noqa: ARG002 - its devices are the tenant's own
        return Needs()

    def messages(self) -> Iterator[Recorded]:
        for place, line in self._lines():
            if len(line) > LONGEST_LINE:
                self.skipped.add("the line is too long", place)
                continue
            try:
                entry = msgspec.json.decode(line, type=RecordedLine)
                said = topic.read(entry.topic)
                payload = _payload(entry)
            except Rejected as error:
                self.skipped.add(error.hint or error.detail, place)
                continue
            except (msgspec.DecodeError, ValueError) as error:
                self.skipped.add(f"not a recorded message: {str(error)[:100]}", place)
                continue
            if entry.time.tzinfo is None:
                self.skipped.add("the time has no offset from UTC", place)
                continue
            yield Recorded(entry.time.astimezone(UTC), said.vendor, said.device, payload)

    def _lines(self) -> Iterator[tuple[str, str]]:
        for path in self._files:
            with path.open(encoding="utf-8-sig", errors="replace") as file:
                number = 0
                while line := file.readline(LONGEST_LINE + 1):
                    number += 1
                    if line.strip():
                        yield f"{path.name}:{number}", line


def recorded_line(time: datetime, where: str, payload: bytes) -> bytes:
    """Return the line of a message, with its end. It may be longer than ``LONGEST_LINE``."""
    with contextlib.suppress(UnicodeDecodeError):
        line = RecordedLine(time, where, payload=payload.decode())
        if len(encoded := msgspec.json.encode(line)) < LONGEST_LINE:
            return encoded + b"\n"
    text = base64.b64encode(payload).decode()  # six times shorter than text of control characters
    return msgspec.json.encode(RecordedLine(time, where, payload_base64=text)) + b"\n"


def is_recorded_line(line: bytes) -> bool:
    """Return whether this is a line of a recording."""
    try:
        msgspec.json.decode(line, type=RecordedLine)
    except (msgspec.DecodeError, ValueError):
        return False
    return True


def _payload(entry: RecordedLine) -> bytes:
    if entry.payload_base64 is not None:
        return base64.b64decode(entry.payload_base64, validate=True)
    if entry.payload is None:
        raise ValueError("neither payload nor payload_base64")
    return entry.payload.encode()
