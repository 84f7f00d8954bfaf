"""How often a caller may ask: token buckets in this process.

The generic cell rate algorithm (ITU-T I.371, annex A): one number a caller, the time at which its
bucket would be full again. A caller that comes evenly is never refused, one that comes in a burst
may spend the whole quota at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final
from zlib import crc32

from cityos.errors import InvalidRequest
from cityos.ports import Allowance, Clock

_MOST_CALLERS: Final = 50_000
"""Callers remembered, some 15 MB. New ones past that share buckets with each other."""

_CROWDS: Final = 1024
_SWEEP_S: Final = 1.0
_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True, slots=True)
class Quota:
    """``limit`` requests in any ``window_s`` seconds."""

    limit: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> Quota:
        """Read ``600/minute``: a whole number and second, minute, hour or day.

        Raises InvalidRequest.
        """
        number, _, unit = text.partition("/")
        if not number.strip().isdecimal() or unit.strip() not in _UNITS or int(number) < 1:
            message = f"quota {text!r} must be a number and a unit, such as 600/minute"
            raise InvalidRequest(message, parameter="quota")
        return cls(int(number), _UNITS[unit.strip()])


@dataclass(slots=True)
class Bucket:
    """``full_at_s``: when nothing would be used any more. ``untold``: not yet shared."""

    full_at_s: float
    untold: int = 0


class TokenBuckets:
    """A ``RateLimiter`` of one process. Costs about a microsecond.

    ``quotas`` by policy. A policy that is missing is not limited.
    """

    def __init__(self, quotas: Mapping[str, Quota], *, clock: Clock) -> None:
        self._quotas = dict(quotas)
        self._monotonic_s = clock.monotonic_s
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._swept_at_s = 0.0

    def quota(self, policy: str) -> Quota | None:
        return self._quotas.get(policy)

    def take(self, policy: str, caller: str) -> Allowance:
        quota = self._quotas.get(policy)
        if quota is None:
            return Allowance(policy, 0, 0, 0, 0)
        now_s = self._monotonic_s()
        bucket = self._buckets.get((policy, caller))
        if bucket is None:
            bucket = self._new_bucket(policy, caller, now_s)
        limit, window_s = quota.limit, quota.window_s
        cost_s = window_s / limit
        full_at_s = max(bucket.full_at_s, now_s) + cost_s
        wait_s = full_at_s - now_s - window_s
        if wait_s > 1e-9:  # noqa: PLR2004 - rounding of sums of cost_s
            reset_s = ceil(bucket.full_at_s - now_s)
            return Allowance(policy, limit, window_s, 0, reset_s, max(1, ceil(wait_s)))
        bucket.full_at_s = full_at_s
        bucket.untold += 1
        remaining = int(-wait_s / cost_s + 1e-6)
        return Allowance(policy, limit, window_s, remaining, ceil(full_at_s - now_s))

    def untold(self) -> Iterator[tuple[str, str, Quota, int]]:
        """Yield (policy, caller, quota, requests) of callers whose use others should hear of.

        Each once: what is yielded counts as told. A twentieth of the quota is the least that is
        worth telling.
        """
        for (policy, caller), bucket in list(self._buckets.items()):
            quota = self._quotas[policy]
            if bucket.untold >= max(1, quota.limit // 20):
                untold, bucket.untold = bucket.untold, 0
                yield policy, caller, quota, untold

    def hear(self, policy: str, caller: str, remaining: int) -> None:
        """Take note that over all processes the caller has only ``remaining`` requests left."""
        bucket, quota = self._buckets.get((policy, caller)), self._quotas[policy]
        if bucket is not None:
            used_s = (quota.limit - remaining) * quota.window_s / quota.limit
            bucket.full_at_s = max(bucket.full_at_s, self._monotonic_s() + used_s)

    def _new_bucket(self, policy: str, caller: str, now_s: float) -> Bucket:
        if len(self._buckets) >= _MOST_CALLERS:
            if now_s - self._swept_at_s > _SWEEP_S:
                self._swept_at_s = now_s
                for key, bucket in list(self._buckets.items()):
                    if bucket.full_at_s <= now_s:
                        del self._buckets[key]
            if len(self._buckets) >= _MOST_CALLERS:
                caller = f"crowd {crc32(caller.encode()) % _CROWDS}"
        return self._buckets.setdefault((policy, caller), Bucket(now_s))
