from __future__ import annotations

import pytest

from cityos.errors import InvalidRequest
from cityos.identity.quotas import Quota, TokenBuckets
from cityos.testing.builders import NOON
from cityos.testing.clock import ChosenClock


@pytest.fixture
def clock() -> ChosenClock:
    return ChosenClock(NOON)


@pytest.fixture
def buckets(clock: ChosenClock) -> TokenBuckets:
    return TokenBuckets({"anonymous": Quota(10, 60), "reader": Quota(100, 60)}, clock=clock)


def test_a_burst_may_spend_the_whole_quota(buckets: TokenBuckets) -> None:
    allowances = [buckets.take("anonymous", "a") for _ in range(11)]

    assert [allowance.remaining for allowance in allowances] == [*range(9, -1, -1), 0]
    assert [allowance.retry_after_s for allowance in allowances] == [0] * 10 + [6]
    assert allowances[0].reset_s == 6
    assert allowances[-1].reset_s == 60
    assert (allowances[0].limit, allowances[0].window_s) == (10, 60)


def test_the_quota_comes_back_evenly(buckets: TokenBuckets, clock: ChosenClock) -> None:
    for _ in range(11):
        buckets.take("anonymous", "a")
    clock.advance(6)
    assert buckets.take("anonymous", "a").retry_after_s == 0
    assert buckets.take("anonymous", "a").retry_after_s == 6
    clock.advance(60)
    assert buckets.take("anonymous", "a").remaining == 9


def test_whoever_waits_as_told_is_let_in(buckets: TokenBuckets, clock: ChosenClock) -> None:
    let_in = 0
    for _ in range(200):
        allowance = buckets.take("anonymous", "a")
        let_in += not allowance.retry_after_s
        clock.advance(allowance.retry_after_s)
    assert let_in >= 100


def test_nobody_gets_more_than_the_quota_for_long(
    buckets: TokenBuckets, clock: ChosenClock
) -> None:
    let_in = 0
    for _ in range(600):
        let_in += not buckets.take("anonymous", "a").retry_after_s
        clock.advance(1)
    assert 100 <= let_in <= 110  # ten minutes at ten a minute, and one burst


def test_callers_and_policies_are_apart(buckets: TokenBuckets) -> None:
    for _ in range(11):
        buckets.take("anonymous", "a")

    assert buckets.take("anonymous", "b").retry_after_s == 0
    assert buckets.take("reader", "a").remaining == 99


def test_a_policy_that_is_not_there_is_not_limited(buckets: TokenBuckets) -> None:
    assert {buckets.take("admin", "a").retry_after_s for _ in range(1000)} == {0}


def test_memory_stays_bounded(clock: ChosenClock) -> None:
    buckets = TokenBuckets({"anonymous": Quota(5, 60)}, clock=clock)
    for number in range(60_000):
        buckets.take("anonymous", f"host {number}")
    assert len(buckets._buckets) <= 51_100

    clock.advance(120)
    buckets.take("anonymous", "one more")
    assert len(buckets._buckets) == 1


def test_what_is_worth_telling_is_told_once(buckets: TokenBuckets) -> None:
    for _ in range(4):
        buckets.take("reader", "light")
    for _ in range(7):
        buckets.take("reader", "heavy")

    assert [(caller, used) for _, caller, _, used in buckets.untold()] == [("heavy", 7)]
    assert list(buckets.untold()) == []


def test_what_was_used_elsewhere_counts(buckets: TokenBuckets) -> None:
    buckets.take("anonymous", "a")
    buckets.hear("anonymous", "a", 3)
    assert buckets.take("anonymous", "a").remaining == 2
    buckets.hear("anonymous", "a", 9)
    assert buckets.take("anonymous", "a").remaining == 1
    buckets.hear("anonymous", "a", 0)
    assert buckets.take("anonymous", "a").retry_after_s > 0
    buckets.hear("anonymous", "never seen", 0)
    assert buckets.take("anonymous", "never seen").retry_after_s == 0


@pytest.mark.parametrize(
    ("text", "quota"),
    [("600/minute", Quota(600, 60)), ("5 / second", Quota(5, 1)), ("1/day", Quota(1, 86400))],
)
def test_quotas_are_read_from_text(text: str, quota: Quota) -> None:
    assert Quota.parse(text) == quota


@pytest.mark.parametrize("text", ["", "600", "600/fortnight", "0/minute", "-1/hour", "x/minute"])
def test_other_text_is_no_quota(text: str) -> None:
    with pytest.raises(InvalidRequest):
        Quota.parse(text)
