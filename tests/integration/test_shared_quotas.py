"""Quotas over two processes' worth of buckets, on a real Redis and without one."""

from __future__ import annotations

import time

import pytest
import redis

from cityos.clock import SystemClock
from cityos.identity.quotas import Quota, TokenBuckets
from cityos.identity.shared_quotas import SharedQuotas


def _limiter(url: str) -> SharedQuotas:
    buckets = TokenBuckets({"anonymous": Quota(100, 60)}, clock=SystemClock())
    return SharedQuotas(buckets, url)


def test_what_one_process_used_counts_in_the_other(redis_url: str) -> None:
    one, two = _limiter(redis_url), _limiter(redis_url)
    for limiter in (one, two):
        for _ in range(40):
            assert limiter.take("anonymous", "a").retry_after_s == 0
    one.exchange()
    two.exchange()

    assert two.take("anonymous", "a").remaining < 25
    assert one.take("anonymous", "a").remaining > 50  # hears of it when it next tells
    for _ in range(10):
        one.take("anonymous", "a")
    one.exchange()
    assert one.take("anonymous", "a").remaining < 15
    for limiter in (one, two):
        limiter.close()


def test_together_they_allow_little_more_than_the_quota(redis_url: str) -> None:
    limiters = [_limiter(redis_url) for _ in range(3)]
    let_in = 0
    for _ in range(100):
        for limiter in limiters:
            let_in += limiter.take("anonymous", "a").retry_after_s == 0
        for limiter in limiters:
            limiter.exchange()
    for limiter in limiters:
        limiter.close()

    assert 90 <= let_in <= 120


def test_without_redis_each_counts_for_itself(free_port: int) -> None:
    limiter = _limiter(f"redis://127.0.0.1:{free_port}/0")
    limiter.start()
    let_in = sum(limiter.take("anonymous", "a").retry_after_s == 0 for _ in range(150))
    with pytest.raises(redis.RedisError):
        limiter.exchange()
    begun = time.monotonic()
    limiter.close()

    assert let_in == 100
    assert time.monotonic() - begun < 2


def test_the_exchange_runs_by_itself(redis_url: str) -> None:
    one, two = _limiter(redis_url), _limiter(redis_url)
    one.start()
    for _ in range(90):
        one.take("anonymous", "a")
    deadline = time.monotonic() + 10
    with redis.Redis.from_url(redis_url) as client:
        while not client.keys("*quota*") and time.monotonic() < deadline:
            time.sleep(0.05)
    one.close()

    for _ in range(5):
        two.take("anonymous", "a")
    two.exchange()
    assert two.take("anonymous", "a").remaining <= 5
    two.close()
