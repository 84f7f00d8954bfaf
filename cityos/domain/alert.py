"""An alert in the words of CAP 1.2 (OASIS, July 2010), ours or another authority's.

``ActualAlert`` and ``ExerciseAlert`` are different types: a channel, a store or a caller that
wants one cannot be handed the other. Another authority's alert (a JMA telegram) is read as a
``Bulletin``, which the entrance turns into one of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal, TypeAlias

from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import NO_NAME, Name
from cityos.domain.occasion import Actual, Exercise, Occasion

_SENDER_DRILL: Final = "sender-drill"
"""The run of what its own sender calls a drill."""


class MessageType(StrEnum):
    """CAP ``msgType`` (3.2.1), the part of it that we use."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"


@dataclass(frozen=True, slots=True)
class Reference:
    """An earlier message: CAP ``references`` is ``sender,identifier,sent`` (3.2.1)."""

    sender: str
    identifier: str
    sent: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertArea:
    """Where. ``geocodes`` maps a scheme (``jma_area``, ``municipality``) to codes of it.

    ``polygons`` are rings of (longitude, latitude), first point repeated at the end.
    ``entity`` is the URN of the area in this city, where we know it.
    """

    name: Name
    geocodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    entity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertInfo:
    """What, how bad, where: one CAP ``info`` (3.2.2) before it is split by language.

    ``event`` is the name as the authority gives it; ``level`` NONE where it has no alert level
    or was lifted. ``parameters`` become CAP ``parameter`` name-value pairs.
    """

    event: Name
    hazard: Hazard
    level: AlertLevel
    headline: Name
    description: Name
    instruction: Name
    areas: tuple[AlertArea, ...]
    effective: datetime | None = None
    expires: datetime | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AlertBody:
    identifier: str
    sender: str
    sent: datetime
    message_type: MessageType
    infos: tuple[AlertInfo, ...]
    references: tuple[Reference, ...] = ()
    sender_name: Name = NO_NAME
    note: str = ""
    source: str = ""

    @property
    def reference(self) -> Reference:
        return Reference(self.sender, self.identifier, self.sent)

    @property
    def level(self) -> AlertLevel:
        return max((info.level for info in self.infos), default=AlertLevel.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActualAlert(_AlertBody):
    """Act on it."""

    status: ClassVar[Literal["Actual"]] = "Actual"

    @property
    def occasion(self) -> Actual:
        return Actual()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseAlert(_AlertBody):
    """Part of the rehearsal ``run``. Never act on it."""

    run: str
    status: ClassVar[Literal["Exercise"]] = "Exercise"

    @property
    def occasion(self) -> Exercise:
        return Exercise(self.run)


Alert: TypeAlias = ActualAlert | ExerciseAlert


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin(_AlertBody):
    """Another authority's message as a feed reads it. ``drill`` is what its sender says of it.

    ``supersedes`` is a key that all messages of one matter share (a JMA event id and kind): a
    newer message with the same key takes the place of the older. ``valid_until`` is the sender's
    own end of validity, if it gives one.
    """

    drill: bool
    supersedes: str
    valid_until: datetime | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def on(self, occasion: Occasion) -> Alert:
        """Return the message as an alert of ``occasion``; a drill never becomes an actual.

        A rehearsal may replay a message that was real. In it the message, and those that it
        refers to, have identifiers of their own, ``{identifier}.exercise.{run}``: one identifier
        is one message (CAP 1.2, 3.2.1), and whoever asks for the real one gets no other.
        """
        body: dict[str, Any] = {
            name: getattr(self, name) for name in _AlertBody.__dataclass_fields__
        }
        if isinstance(occasion, Exercise):
            return _rehearsed(body, occasion.run)
        if self.drill:
            return _rehearsed(body, _SENDER_DRILL)
        return ActualAlert(**body)


def _rehearsed(body: dict[str, Any], run: str) -> ExerciseAlert:
    alert = ExerciseAlert(**body, run=run)
    # a run is of a-z 0-9 _ - alone, so none of what CAP 3.2.1 forbids in an identifier comes in
    suffix = f".exercise.{run}"
    return replace(
        alert,
        identifier=alert.identifier + suffix,
        references=tuple(
            replace(reference, identifier=reference.identifier + suffix)
            for reference in alert.references
        ),
    )
