"""News of stored values between processes, over Redis: the stream ``cityos:news``.

One entry a stored batch, never a call a reading. It can be lost at any time: whoever follows is
told, by a gap in the numbers of a publisher, and reads the store again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cityos.domain.history import SeriesKey
from cityos.domain.observation import QUALITIES, Position, Value
from cityos.errors import Unavailable
from cityos.ports import Clock, LatestValue, LiveNews

STREAM: Final = "cityos:news"
_TIMEOUT_S: Final = 0.25
"""One round trip takes 0.1 ms. Ingest must not wait longer than this for a Redis that hangs."""

_PAUSE_FACTOR: Final = 40
"""After a failure Redis is left alone for so many times as long as the failure took.

Ingest loses a fortieth of its time at the most: a refused connection (0.3 ms) is tried again soon,
one that hangs (0.25 s) after ten seconds.
"""

_SHORTEST_PAUSE_S: Final = 0.1
_STREAM_LENGTH: Final = 300
"""Batches kept: some seconds at full load, and 30 MB at the very most."""

_BLOCK_S: Final = 1.0
_MOST_PUBLISHERS: Final = 256


class _Value(msgspec.Struct, array_like=True, frozen=True):
    """A ``LatestValue`` as it is read: what the value may be is known only then."""

    entity: str
    observed_property: str
    dataset: str
    value: Any
    unit: str
    observed_at: datetime
    received_at: datetime
    quality: int


class _Entry(msgspec.Struct, array_like=True, frozen=True):
    publisher: str
    number: int
    tenant: str
    changed: list[_Value]
    touched: list[tuple[str, str, str]]


class RedisLiveBus:
    """A ``LiveBus`` on Redis 6.2 or later. Publishing and following may be different threads.

    Publishing to a Redis that is away is tried again after a pause; until then a batch costs
    nothing.
    """

    def __init__(self, url: str, *, clock: Clock, stream_length: int = _STREAM_LENGTH) -> None:
        self._clock = clock
        self._stream_length = stream_length
        self._publishing = _client(url, _TIMEOUT_S)
        self._following = _client(url, _BLOCK_S + 2.0)
        self._lock = threading.Lock()
        self._publisher = secrets.token_hex(6)
        self._number = 0
        self._resume_at_s = 0.0
        self._position: bytes | None = None
        self._expected: dict[str, int] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(_Entry).decode

    # --- telling ------------------------------------------------------------------------------

    def publish(
        self, tenant: str, changed: Sequence[LatestValue], touched: Sequence[SeriesKey] = ()
    ) -> None:
        with self._lock:
            # a batch that is not sent takes a number too: followers see that one is missing
            number, self._number = self._number, self._number + 1
            begun_s = self._clock.monotonic_s()
            if begun_s < self._resume_at_s:
                return
            try:
                self._send(number, tenant, changed, touched)
            except redis.RedisError:
                failed_s = self._clock.monotonic_s()
                pause_s = max((failed_s - begun_s) * _PAUSE_FACTOR, _SHORTEST_PAUSE_S)
                self._resume_at_s = failed_s + pause_s

    def _send(
        self,
        number: int,
        tenant: str,
        changed: Sequence[LatestValue],
        touched: Sequence[SeriesKey],
    ) -> None:
        keys = [(key.entity, key.observed_property, key.dataset) for key in touched]
        entry = self._encode((self._publisher, number, tenant, changed, keys))  # an ``_Entry``
        self._publishing.xadd(STREAM, {"n": entry}, maxlen=self._stream_length)

    # --- hearing ------------------------------------------------------------------------------

    def follow(self, timeout_s: float) -> Iterator[LiveNews]:
        if self._position is None:
            self._position = self._newest()
            self._expected.clear()
        return self._read(timeout_s)

    def _read(self, timeout_s: float) -> Iterator[LiveNews]:
        until_s = self._clock.monotonic_s() + timeout_s
        while True:
            left_s = until_s - self._clock.monotonic_s()
            block_ms = max(1, int(min(left_s, _BLOCK_S) * 1000))
            entries = self._next(block_ms)
            if entries:
                for position, fields in entries:
                    self._position = position
                    yield self._opened(fields[b"n"])
                until_s = self._clock.monotonic_s() + timeout_s
            elif self._clock.monotonic_s() >= until_s:
                return

    def _newest(self) -> bytes:
        try:
            entries: Any = self._following.xrevrange(STREAM, count=1)
        except redis.RedisError as error:
            raise Unavailable("the live bus does not answer") from error
        return bytes(entries[0][0]) if entries else b"0-0"

    def _next(self, block_ms: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        streams: Any = {STREAM: self._position}
        try:
            answer: Any = self._following.xread(streams, count=64, block=block_ms)
        except redis.RedisError as error:
            self._position = None
            raise Unavailable("the live bus does not answer") from error
        return list(answer[0][1]) if answer else []

    def _opened(self, packed: bytes) -> LiveNews:
        """Raises Unavailable when an entry before this one is missing."""
        try:
            entry = self._decode(packed)
        except msgspec.MsgspecError as error:
            self._position = None
            raise Unavailable("another version speaks on the live bus") from error
        expected = self._expected.get(entry.publisher)
        if len(self._expected) >= _MOST_PUBLISHERS:
            self._expected.clear()
        self._expected[entry.publisher] = entry.number + 1
        if expected is not None and entry.number != expected:
            self._position = None
            raise Unavailable("news was lost on the way")
        changed = [_unpacked(value) for value in entry.changed]
        touched = [
            SeriesKey(entity=entity, observed_property=observed_property, dataset=dataset)
            for entity, observed_property, dataset in entry.touched
        ]
        return LiveNews(entry.tenant, changed, touched)

    def close(self) -> None:
        self._publishing.close()
        self._following.close()


def _client(url: str, timeout_s: float) -> redis.Redis:
    # redis-py waits past 35 s with its defaults when the server is a black hole
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )


def _unpacked(value: _Value) -> LatestValue:
    return LatestValue(
        entity=value.entity,
        observed_property=value.observed_property,
        dataset=value.dataset,
        value=_as_value(value.value),
        unit=value.unit,
        observed_at=value.observed_at,
        received_at=value.received_at,
        quality=QUALITIES[value.quality],
    )


def _as_value(value: Any) -> Value:  # noqa: ANN401 - what a value may be, before it is known
    if isinstance(value, dict) and value.keys() == {"longitude", "latitude"}:
        return Position(float(value["longitude"]), float(value["latitude"]))
    known: Value = value
    return known
