"""Answers that were made before, ready to be sent again while they are true."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeAlias

from cityos.api.stamps import Stamps, Thing

Question: TypeAlias = tuple[str, str, bytes, bytes]
"""Tenant, path, query string, ``Accept`` header: all that an open read depends on."""

_MOST_BYTES: Final = 48 * 1024 * 1024
_LARGEST: Final = 512 * 1024
_OVERHEAD: Final = 1000
"""Bytes that an entry costs beside its body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of status 200, and what it holds of: the thing, its number, and until when."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    etag: bytes
    route: str
    thing: Thing
    stamp: int
    until_s: float


class Answers:
    """Bounded by bytes; what was not asked for the longest goes first. For one event loop."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._kept: OrderedDict[Question, Answer] = OrderedDict()
        self._bytes = 0

    def find(self, question: Question, now_s: float) -> Answer | None:
        answer = self._kept.get(question)
        if answer is None:
            return None
        if now_s >= answer.until_s or self._stamps.current(answer.thing) != answer.stamp:
            self._forget(question)
            return None
        self._kept.move_to_end(question)
        return answer

    def keep(self, question: Question, answer: Answer) -> None:
        if len(answer.body) > _LARGEST:
            return
        if question in self._kept:
            self._forget(question)
        self._kept[question] = answer
        self._bytes += len(answer.body) + _OVERHEAD
        while self._bytes > _MOST_BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, question: Question) -> None:
        self._bytes -= len(self._kept.pop(question).body) + _OVERHEAD
