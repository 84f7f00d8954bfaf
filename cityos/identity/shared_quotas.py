"""Quotas over several processes: each counts for itself, and tells the others through Redis.

A request never waits for Redis. Callers who have used a twentieth of their quota here are told
of once a second, and what they used elsewhere comes back. With Redis away every process goes on
with its own count.
"""

from __future__ import annotations

import threading
from typing import Final

import redis
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from cityos.identity.quotas import TokenBuckets
from cityos.ports import Allowance

_TIMEOUT_S: Final = 0.5
_EVERY_S: Final = 1.0
_PAUSE_S: Final = 5.0
"""How long a Redis that did not answer is left alone."""


class SharedQuotas:
    """A ``RateLimiter`` that shares the counts of ``local`` over Redis.

    ``start`` begins the exchange in a thread of its own, ``close`` ends it.
    """

    def __init__(self, local: TokenBuckets, url: str) -> None:
        self._local = local
        pool = redis.ConnectionPool.from_url(
            url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._pool = pool
        storage = RedisStorage(url, connection_pool=pool, key_prefix="cityos:quota")
        self._shared = SlidingWindowCounterRateLimiter(storage)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, policy: str, caller: str) -> Allowance:
        return self._local.take(policy, caller)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="quotas", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * _TIMEOUT_S + 1)
        self._pool.disconnect()

    def exchange(self) -> None:
        """Tell what callers used here, and hear what is left of their quotas everywhere.

        Raises redis.RedisError.
        """
        for policy, caller, quota, used in self._local.untold():
            item = RateLimitItemPerSecond(quota.limit, quota.window_s, namespace=policy)
            # limits refuses a cost that does not fit, so the part that does is what is told
            within = self._shared.hit(item, caller, cost=min(used, quota.limit))
            remaining = self._shared.get_window_stats(item, caller).remaining if within else 0
            self._local.hear(policy, caller, remaining)

    def _run(self) -> None:
        pause_s = _EVERY_S
        while not self._stop.wait(pause_s):
            try:
                self.exchange()
                pause_s = _EVERY_S
            except redis.RedisError:
                pause_s = _PAUSE_S
