from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityos.domain.alert import ActualAlert, Alert, AlertArea, ExerciseAlert, MessageType
from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Name
from cityos.domain.occasion import Actual, Exercise, Occasion
from cityos.domain.proposal import Assessment, Issuer, Proposal, issue

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ISSUER = Issuer(sender="town.example", name=Name("Town", "町"))


def proposal(level: AlertLevel, occasion: Occasion, hazard: Hazard = Hazard.FLOOD) -> Proposal:
    return Proposal(
        id="p",
        service="s",
        occasion=occasion,
        revision=1,
        created_at=NOW,
        assessment=Assessment(
            situation="flood/a",
            hazard=hazard,
            level=level,
            area=AlertArea(name=Name("A", "A")),
            headline=Name("H", "見出し"),
            reason=Name("R", "理由"),
            evidence=(),
            rule_version="1",
            at=NOW,
        ),
    )


def chain(levels: list[AlertLevel]) -> list[ActualAlert]:
    alerts: list[ActualAlert] = []
    in_force: ActualAlert | None = None
    for number, level in enumerate(levels):
        now = NOW + timedelta(minutes=number)
        alert = issue(proposal(level, Actual()), Actual(), in_force, ISSUER, f"a{number}", now)
        alerts.append(alert)
        in_force = None if level is AlertLevel.NONE else alert
    return alerts


def test_the_first_is_an_alert_the_next_updates_it_and_the_end_cancels_it() -> None:
    alerts = chain([AlertLevel.ELDERLY_EVACUATE, AlertLevel.EVACUATE, AlertLevel.NONE])
    assert [alert.message_type for alert in alerts] == [
        MessageType.ALERT,
        MessageType.UPDATE,
        MessageType.CANCEL,
    ]
    assert [alert.references for alert in alerts] == [
        (),
        (alerts[0].reference,),
        (alerts[1].reference,),
    ]


def test_a_cancel_is_called_by_the_order_that_it_ends() -> None:
    *_, cancel = chain([AlertLevel.ELDERLY_EVACUATE, AlertLevel.EVACUATE, AlertLevel.NONE])
    assert cancel.infos[0].event == Name(
        "Flood: lifted: level 4: evacuation order", "洪水 警戒レベル4 避難指示 解除"
    )
    order, lifted = (
        proposal(level, Actual(), Hazard.TSUNAMI)
        for level in (AlertLevel.EVACUATE, AlertLevel.NONE)
    )
    standing = issue(order, Actual(), None, ISSUER, "a", NOW)
    cancel = issue(lifted, Actual(), standing, ISSUER, "b", NOW)
    assert cancel.infos[0].event.ja == "津波 避難指示 解除"


def test_who_has_left_home_is_told_what_to_do_when_the_order_is_lifted() -> None:
    *_, cancel = chain([AlertLevel.EVACUATE, AlertLevel.NONE])
    assert "go back once" in cancel.infos[0].instruction.en
    assert "安全を確かめてから" in cancel.infos[0].instruction.ja


def test_an_exercise_says_so_in_every_text_and_an_actual_in_none() -> None:
    occasion = Exercise("drill")
    drill = issue(proposal(AlertLevel.EVACUATE, occasion), occasion, None, ISSUER, "a", NOW)
    real = issue(proposal(AlertLevel.EVACUATE, Actual()), Actual(), None, ISSUER, "a", NOW)
    assert isinstance(drill, ExerciseAlert)
    assert isinstance(real, ActualAlert)
    for info in drill.infos:
        for text in (info.headline, info.description, info.instruction):
            assert "EXERCISE" in text.en
            assert "訓練" in text.ja
    assert "訓練" not in str(real)


@given(
    st.sampled_from([Actual(), Exercise("a"), Exercise("b")]),
    st.sampled_from([Actual(), Exercise("a"), Exercise("b")]),
    st.sampled_from([Actual(), Exercise("a"), Exercise("b")]),
)
def test_occasions_never_mix(first: Occasion, second: Occasion, third: Occasion) -> None:
    issue_any: Callable[..., Alert] = issue  # the types forbid most of these combinations
    before = issue_any(proposal(AlertLevel.EVACUATE, first), first, None, ISSUER, "a", NOW)
    following = partial(
        issue_any, proposal(AlertLevel.EVACUATE, second), third, before, ISSUER, "b", NOW
    )
    if first == second == third:
        assert following().occasion == first
    else:
        with pytest.raises(ValueError, match="another occasion"):
            following()


def test_nothing_can_be_cancelled_that_is_not_in_force() -> None:
    with pytest.raises(ValueError, match="nothing is in force"):
        issue(proposal(AlertLevel.NONE, Actual()), Actual(), None, ISSUER, "a", NOW)


def test_a_tsunami_order_carries_no_level_in_its_name() -> None:
    order = proposal(AlertLevel.EVACUATE, Actual(), Hazard.TSUNAMI)
    alert = issue(order, Actual(), None, ISSUER, "a", NOW)
    assert alert.infos[0].event == Name("Tsunami: evacuation order", "津波 避難指示")
