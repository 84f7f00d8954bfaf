"""What every Outbox does: at least once, in order within a situation, nothing forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Exercise
from cityos.domain.proposal import ORDER_VALID_FOR
from cityos.ports import Outbox
from cityos.testing import builders as a
from tests.alert_path import AlertPath


def deliver(outbox: Outbox, city: AlertPath, channel: str = "mqtt") -> str:
    with outbox.take(channel, city.clock.now()) as delivery:
        return "" if delivery is None else delivery.alert.identifier


def fail(outbox: Outbox, city: AlertPath, retry_in_s: float = 60) -> None:
    retry_at = city.clock.now() + timedelta(seconds=retry_in_s)
    with pytest.raises(ConnectionError), outbox.take("mqtt", city.clock.now()) as delivery:
        raise ConnectionError
    assert delivery is not None
    outbox.failed(delivery.id, "the broker is away", retry_at)


def test_every_channel_gets_every_alert_once(city: AlertPath) -> None:
    alerts = [city.issue(), city.issue(key="flood/y")]
    outbox = city.outbox()
    for channel in ("mqtt", "sse"):
        assert [deliver(outbox, city, channel) for _ in range(3)] == [
            *(alert.identifier for alert in alerts),
            "",
        ]


def test_a_delivery_carries_what_the_channel_needs(city: AlertPath) -> None:
    alert = city.issue(occasion=Exercise("drill"))
    with city.outbox().take("mqtt", city.clock.now()) as delivery:
        assert delivery is not None
        assert (delivery.tenant, delivery.channel, delivery.situation, delivery.attempts) == (
            "town",
            "mqtt",
            "flood/x",
            0,
        )
        assert delivery.alert == alert


def test_an_error_leaves_it_to_be_delivered_again(city: AlertPath) -> None:
    alert = city.issue()
    outbox = city.outbox()
    with pytest.raises(ConnectionError), outbox.take("mqtt", city.clock.now()):
        raise ConnectionError
    assert deliver(outbox, city) == alert.identifier


def test_a_failure_waits_until_its_time(city: AlertPath) -> None:
    alert = city.issue()
    outbox = city.outbox()
    fail(outbox, city, retry_in_s=60)
    assert deliver(outbox, city) == ""
    assert city.rows("SELECT attempts, last_error FROM outbox WHERE channel = 'mqtt'") == [
        (1, "the broker is away")
    ]
    city.clock.advance(61)
    assert deliver(outbox, city) == alert.identifier


def test_a_later_message_of_a_situation_never_overtakes(city: AlertPath) -> None:
    chain = [
        city.issue(level).identifier
        for level in (AlertLevel.ELDERLY_EVACUATE, AlertLevel.EVACUATE, AlertLevel.NONE)
    ]
    other = city.issue(key="flood/y").identifier
    outbox = city.outbox()
    fail(outbox, city)
    assert [deliver(outbox, city) for _ in range(2)] == [other, ""]
    city.clock.advance(61)
    assert [deliver(outbox, city) for _ in range(4)] == [*chain, ""]


def test_two_services_that_name_a_situation_alike_do_not_wait_for_each_other(
    city: AlertPath,
) -> None:
    outbox = city.outbox()
    city.issue()
    fail(outbox, city)
    assessment = a.assessment("flood/x", AlertLevel.EVACUATE, city.clock.now())
    proposal = city.propose(assessment, service="storm_watch")
    assert proposal is not None
    other = city.approve(proposal).identifier
    assert deliver(outbox, city) == other


def test_a_situation_that_is_being_delivered_is_left_alone(city: AlertPath) -> None:
    city.issue(AlertLevel.ELDERLY_EVACUATE)
    city.issue(AlertLevel.EVACUATE)
    other = city.issue(key="flood/y").identifier
    with city.outbox().take("mqtt", city.clock.now()) as mine:
        assert mine is not None
        with city.outbox().take("mqtt", city.clock.now()) as theirs:
            assert theirs is not None
            assert theirs.alert.identifier == other
            with city.outbox().take("mqtt", city.clock.now()) as nothing:
                assert nothing is None


def test_actual_alerts_go_before_exercises(city: AlertPath) -> None:
    drill = city.issue(occasion=Exercise("drill")).identifier
    real = city.issue().identifier
    outbox = city.outbox()
    assert [deliver(outbox, city) for _ in range(2)] == [real, drill]


def test_a_clock_that_was_set_back_holds_nothing_up(city: AlertPath) -> None:
    alert = city.issue()
    outbox = city.outbox()
    fail(outbox, city)
    city.clock.advance(-7 * 86_400)
    assert deliver(outbox, city) == alert.identifier


def test_a_channel_that_is_back_need_not_wait(city: AlertPath) -> None:
    alert = city.issue()
    outbox = city.outbox()
    fail(outbox, city)
    outbox.retry_now("sse")
    assert deliver(outbox, city) == ""
    outbox.retry_now("mqtt")
    assert deliver(outbox, city) == alert.identifier


def test_what_stands_is_the_last_delivered_message_of_every_situation(city: AlertPath) -> None:
    outbox = city.outbox()
    city.issue(AlertLevel.ELDERLY_EVACUATE)
    update = city.issue(AlertLevel.EVACUATE)
    other = city.issue(key="flood/y", occasion=Exercise("drill"))
    assert outbox.standing("mqtt", city.clock.now()) == []
    for _ in range(3):
        deliver(outbox, city)
    standing = outbox.standing("mqtt", city.clock.now())
    assert [one.alert for one in standing] == [update, other]
    assert [one.situation for one in standing] == ["flood/x", "flood/y"]
    assert outbox.standing("sse", city.clock.now()) == []
    cancel = city.issue(AlertLevel.NONE)
    # until the Cancel is out nothing may be said again: it would come after what follows it
    assert [one.alert for one in outbox.standing("mqtt", city.clock.now())] == [other]
    deliver(outbox, city)
    assert [one.alert for one in outbox.standing("mqtt", city.clock.now())] == [cancel, other]


def test_a_new_chain_takes_the_place_of_the_cancel_that_ended_the_old_one(
    city: AlertPath,
) -> None:
    outbox = city.outbox()
    for level in (AlertLevel.EVACUATE, AlertLevel.NONE, AlertLevel.EVACUATE):
        last = city.issue(level)
        deliver(outbox, city)
    assert [one.alert for one in outbox.standing("mqtt", city.clock.now())] == [last]


def test_what_has_expired_is_told_once_for_every_interval(city: AlertPath) -> None:
    outbox = city.outbox()
    city.issue(AlertLevel.ELDERLY_EVACUATE)
    last = city.issue(AlertLevel.EVACUATE)
    for _ in range(2):
        deliver(outbox, city)
    end = last.sent + ORDER_VALID_FOR
    before, after = end - a.minutes(1), end + a.minutes(1)
    assert outbox.expired("mqtt", last.sent, before) == []
    assert [one.alert for one in outbox.expired("mqtt", before, after)] == [last]
    assert outbox.expired("mqtt", after, after + a.minutes(1)) == []
    assert outbox.standing("mqtt", after) == []


def test_the_backlog_says_how_many_wait_and_for_how_long(city: AlertPath) -> None:
    outbox = city.outbox()
    assert outbox.backlog(city.clock.now()) == {}
    city.issue()
    city.issue(key="flood/y")
    city.clock.advance(30)
    deliver(outbox, city, "sse")
    backlog = outbox.backlog(city.clock.now())
    assert backlog["mqtt"].waiting == 2
    assert backlog["mqtt"].oldest_s == pytest.approx(31)
    assert backlog["sse"].waiting == 1
    assert backlog["sse"].oldest_s == pytest.approx(30)
