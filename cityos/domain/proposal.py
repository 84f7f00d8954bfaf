"""From evidence to order: a service proposes, a person decides, an alert goes out.

A ``Situation`` is one hazard over one area on one occasion. It carries one chain of CAP messages:
Alert, Update, ..., Cancel (CAP 1.2, 3.2.1 ``msgType`` and ``references``). A proposal never
becomes an alert by itself, except in an exercise that says so (design rule P11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Final, overload

from cityos.domain.alert import (
    ActualAlert,
    Alert,
    AlertArea,
    AlertInfo,
    ExerciseAlert,
    MessageType,
)
from cityos.domain.alert_level import (
    FIRST_ORDER,
    HAZARD_NAMES,
    MEANINGS,
    AlertLevel,
    Hazard,
)
from cityos.domain.entity import Name
from cityos.domain.occasion import Actual, Exercise, Occasion

ORDER_VALID_FOR: Final = timedelta(hours=24)
"""CAP ``expires`` of an order: long enough for a night, short enough that none is forgotten."""
RENEW_BEFORE: Final = timedelta(hours=4)
"""How long before its ``expires`` a person is asked whether an order goes on: a night shift."""
BY_A_PERSON: Final = "official"
"""The ``rule_version`` of what no rule has led to."""
_JST: Final = timezone(timedelta(hours=9))
_AFTERWARDS: Final = Name(
    "The order is lifted. If you have left, go back once you have made sure that it is safe. "
    "Watch for further information.",
    "発令は解除されました。避難した人は、安全を確かめてから戻ってください。"
    "今後の情報にも注意してください。",
)
"""Under a lifted order people are still away from home: "no action needed" would be wrong."""


class ProposalState(StrEnum):
    """The life of a proposal. Only PENDING can be decided."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One input of a decision, kept with it: a reading against its threshold, or a bulletin.

    ``kind`` is ``observation`` or ``alert``. For an observation ``source`` is the entity,
    ``observed_property``, ``value`` and ``threshold`` are given in ``unit``; for an alert
    ``source`` is its identifier. ``level`` is the level that this input alone calls for.
    """

    kind: str
    source: str
    level: AlertLevel
    summary: Name
    at: datetime
    observed_property: str = ""
    value: float | None = None
    threshold: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known of one hazard over one area: the level last proposed, and what stands.

    ``level`` is the last assessed level, ``peak`` the highest since it opened, ``in_force`` the
    alert of the chain that the public sees now (None before the first approval and after a
    cancellation).
    """

    key: str
    level: AlertLevel
    peak: AlertLevel
    opened_at: datetime
    changed_at: datetime
    in_force: Alert | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a service says of a situation. NONE as ``level`` proposes to stand down.

    ``situation`` is the key, stable over the whole course of the event. ``rule_version`` names
    the rules that led here, ``at`` the time of the event that did.
    """

    situation: str
    hazard: Hazard
    level: AlertLevel
    area: AlertArea
    headline: Name
    reason: Name
    evidence: tuple[Evidence, ...]
    rule_version: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Reassessment:
    """A person took a decision back: what stands is assessed again, and proposed as it is then."""

    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An assessment before a person. ``id`` is opaque; ``revision`` counts within a situation.

    ``public_reason`` is what the alert gives as its reason where the assessment's own speaks to
    the person who decides: in a renewal. None: the assessment's. ``reassessment`` says that the
    decision on it was taken back.
    """

    id: str
    service: str
    occasion: Occasion
    revision: int
    assessment: Assessment
    state: ProposalState = ProposalState.PENDING
    created_at: datetime
    decided_at: datetime | None = None
    decided_by: str = ""
    decision_note: str = ""
    alert_identifier: str = ""
    public_reason: Name | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    reassessment: Reassessment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who signs. ``sender`` is a domain-like id (CAP 3.2.1), e.g. ``yaizu.example.jp``."""

    sender: str
    name: Name


@overload
def issue(
    proposal: Proposal,
    occasion: Actual,
    in_force: ActualAlert | None,
    issuer: Issuer,
    identifier: str,
    now: datetime,
) -> ActualAlert: ...
@overload
def issue(
    proposal: Proposal,
    occasion: Exercise,
    in_force: ExerciseAlert | None,
    issuer: Issuer,
    identifier: str,
    now: datetime,
) -> ExerciseAlert: ...
def issue(
    proposal: Proposal,
    occasion: Occasion,
    in_force: Alert | None,
    issuer: Issuer,
    identifier: str,
    now: datetime,
) -> Alert:
    """Return the CAP message that carries out ``proposal``, next in its situation's chain.

    The first is an Alert; one that follows an alert in force is an Update that references it, or
    a Cancel where the level is NONE. CAP 1.2, 3.2.1 asks for the full chain only where needed;
    consumers match on the last reference, so that is what is given.

    Raises:
        ValueError: the proposal, the occasion and the alert in force do not belong together, or
            there is nothing in force to cancel.
    """
    if proposal.occasion != occasion:
        message = "the proposal belongs to another occasion"
        raise ValueError(message)
    if in_force is not None and in_force.occasion != occasion:
        message = "the alert in force belongs to another occasion"
        raise ValueError(message)
    body: dict[str, Any] = {
        "identifier": identifier,
        "sender": issuer.sender,
        "sender_name": issuer.name,
        "sent": now,
        "message_type": _message_type(proposal.assessment.level, in_force),
        "references": () if in_force is None else (in_force.reference,),
        "infos": (_info(proposal, occasion, in_force, now),),
        "note": "" if isinstance(occasion, Actual) else f"Exercise {occasion.run} / 訓練",
        "source": proposal.service,
    }
    if isinstance(occasion, Actual):
        return ActualAlert(**body)
    return ExerciseAlert(**body, run=occasion.run)


def renewal(
    approved: Proposal, expires: datetime, *, proposal_id: str, revision: int, now: datetime
) -> Proposal:
    """Return the proposal that the order which came of ``approved`` goes on unchanged.

    ``expires`` is the order's; the reason begins with it, for the person who decides. What the
    public reads stays as it was.
    """
    reason = approved.public_reason or approved.assessment.reason
    time = f"{expires.astimezone(_JST):%H:%M}"
    if expires > now:
        en = f"The order in force expires at {time} JST and has to be renewed or lifted."
        ja = f"発令中の避難情報は{time}（日本時間）に期限を迎えます。"
    else:
        en = f"The order expired at {time} JST and has to be renewed or lifted."
        ja = f"避難情報は{time}（日本時間）に期限を過ぎました。"
    ja += "継続するか判断してください。"
    return Proposal(
        id=proposal_id,
        service=approved.service,
        occasion=approved.occasion,
        revision=revision,
        assessment=replace(
            approved.assessment, reason=Name(f"{en} {reason.en}", f"{ja}{reason.ja}"), at=now
        ),
        created_at=now,
        public_reason=reason,
        attributes=approved.attributes,
    )


def cancellation(
    in_force: Alert,
    situation: str,
    issuer: Issuer,
    *,
    proposal_id: str,
    revision: int,
    now: datetime,
) -> Proposal:
    """Return the proposal to end the order ``in_force`` that a person makes and approves at once.

    What the public reads names who ended it. Why is the note of the decision: it is written in
    haste, in one language and for the record.
    """
    info = in_force.infos[0]
    area, hazard = info.areas[0], HAZARD_NAMES[info.hazard]
    order = _order(info.hazard, info.level)
    return Proposal(
        id=proposal_id,
        service=in_force.source,
        occasion=in_force.occasion,
        revision=revision,
        assessment=Assessment(
            situation=situation,
            hazard=info.hazard,
            level=AlertLevel.NONE,
            area=area,
            headline=Name(
                f"Lifted: {_small(order.en)} ({_small(hazard.en)}): {area.name.en}",
                f"【解除】{order.ja}：{area.name.ja}（{hazard.ja}）",
            ),
            reason=Name(
                f"Ended by decision of {issuer.name.en}.",
                f"{issuer.name.ja}の判断により解除しました。",
            ),
            evidence=(),
            rule_version=BY_A_PERSON,
            at=now,
        ),
        created_at=now,
    )


def _message_type(level: AlertLevel, in_force: Alert | None) -> MessageType:
    if in_force is None:
        if level is AlertLevel.NONE:
            message = "nothing is in force that could be cancelled"
            raise ValueError(message)
        return MessageType.ALERT
    return MessageType.CANCEL if level is AlertLevel.NONE else MessageType.UPDATE


def _info(
    proposal: Proposal, occasion: Occasion, in_force: Alert | None, now: datetime
) -> AlertInfo:
    assessment = proposal.assessment
    drill = isinstance(occasion, Exercise)
    return AlertInfo(
        event=_event(assessment, in_force),
        hazard=assessment.hazard,
        level=assessment.level,
        headline=_marked(assessment.headline, drill=drill),
        description=_marked(proposal.public_reason or assessment.reason, drill=drill),
        instruction=_marked(_instruction(assessment, in_force), drill=drill),
        areas=(assessment.area,),
        effective=now,
        expires=now + ORDER_VALID_FOR,
        parameters={
            "alertLevel": str(int(assessment.level)),
            "situation": assessment.situation,
            "proposal": proposal.id,
            "ruleVersion": assessment.rule_version,
        },
    )


def _event(assessment: Assessment, in_force: Alert | None) -> Name:
    """What it is, in one line; a Cancel is called by the order that it ends."""
    hazard = HAZARD_NAMES[assessment.hazard]
    if assessment.level is AlertLevel.NONE and in_force is not None:
        lifted = _order(assessment.hazard, in_force.level)
        return Name(f"{hazard.en}: lifted: {_small(lifted.en)}", f"{hazard.ja} {lifted.ja} 解除")
    order = _order(assessment.hazard, assessment.level)
    return Name(f"{hazard.en}: {order.en}", f"{hazard.ja} {order.ja}")


def _instruction(assessment: Assessment, in_force: Alert | None) -> Name:
    if assessment.level is AlertLevel.NONE and in_force is not None:
        return _AFTERWARDS
    return MEANINGS[assessment.level].action


def _order(hazard: Hazard, level: AlertLevel) -> Name:
    if hazard is Hazard.TSUNAMI and level >= FIRST_ORDER:
        # 避難情報に関するガイドライン: a tsunami's evacuation order carries no alert level
        return Name("evacuation order", "避難指示")
    return MEANINGS[level].name


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _marked(text: Name, *, drill: bool) -> Name:
    """A screen or a loudspeaker may show the text alone: an exercise says so in every text."""
    return Name(f"[EXERCISE] {text.en}", f"【訓練】{text.ja}") if drill else text
