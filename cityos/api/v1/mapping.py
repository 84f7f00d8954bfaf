"""Domain -> the documents of /v1. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Final, Literal

from cityos.api import cursors
from cityos.api.readiness import Finding
from cityos.api.v1 import wire, wire_administration
from cityos.domain.alert import Alert, AlertArea, AlertInfo, ExerciseAlert
from cityos.domain.alert_level import MEANINGS
from cityos.domain.entity import Entity, Name
from cityos.domain.history import Aggregate, Bucket, Sample
from cityos.domain.observation import Position, Quality, Value
from cityos.domain.observed_property import ObservedProperty, ValueKind
from cityos.domain.proposal import Assessment, Evidence, Proposal, Reassessment
from cityos.ports import ApiKey, ExerciseEnd, FoundEntity, KeptDeadLetter, LatestValue

_FLAGS: Final[tuple[tuple[Quality, Literal["corrected", "time_assumed", "late"]], ...]] = (
    (Quality.CORRECTED, "corrected"),
    (Quality.TIME_ASSUMED, "time_assumed"),
    (Quality.LATE, "late"),
)
_QUALITIES: Final = tuple([name for flag, name in _FLAGS if flag & number] for number in range(8))
"""By the number of the flags. Shared: nobody changes a document once it is made."""


def name(value: Name) -> wire.Name:
    return {"en": value.en, "ja": value.ja}


def position(value: Position) -> wire.Position:
    return {"longitude": value.longitude, "latitude": value.latitude}


def entity(found: FoundEntity | Entity) -> wire.Entity:
    """Return the document of an entity, with its distance where one was asked for."""
    if isinstance(found, Entity):
        found = FoundEntity(found)
    thing, distance_m = found.entity, found.distance_m
    return {
        "id": thing.id,
        "type": thing.type,
        "name": name(thing.name),
        "position": None if thing.position is None else position(thing.position),
        "geometry": None if thing.geometry is None else dict(thing.geometry),
        "attributes": dict(thing.attributes),
        "distance_m": None if distance_m is None else round(distance_m, 1),
    }


def observed_property(prop: ObservedProperty) -> wire.ObservedProperty:
    is_number = prop.kind is ValueKind.NUMBER
    return {
        "name": prop.name,
        "label": {"en": prop.label_en, "ja": prop.label_ja},
        "kind": prop.kind.value,
        "unit": prop.unit,
        "minimum": prop.minimum if is_number else None,
        "maximum": prop.maximum if is_number else None,
        "cumulative": prop.cumulative,
        "definition": prop.definition,
    }


# --- values ------------------------------------------------------------------------------------


def value(given: Value) -> object:
    return position(given) if isinstance(given, Position) else given


def quality(flags: Quality) -> wire.Quality:
    return _QUALITIES[flags]  # an index costs a tenth of what an operator of a flag does


def latest_item(latest: LatestValue) -> wire.LatestValue:
    return {
        "entity": latest.entity,
        "observed_property": latest.observed_property,
        "dataset": latest.dataset,
        "value": value(latest.value),
        "unit": latest.unit,
        "observed_at": latest.observed_at,
        "received_at": latest.received_at,
        "quality": quality(latest.quality),
    }


def samples(found: Sequence[Sample]) -> list[wire.Sample]:
    return [
        {
            "observed_at": sample.observed_at,
            "value": sample.value if type(sample.value) is float else value(sample.value),
            "received_at": sample.received_at,
            "quality": _QUALITIES[sample.quality],
        }
        for sample in found
    ]


def buckets(found: Sequence[Bucket], aggregate: Aggregate) -> list[wire.Bucket]:
    return [
        {"start": bucket.start, "value": bucket.value(aggregate), "count": bucket.count}
        for bucket in found
    ]


# --- alerts ------------------------------------------------------------------------------------


def alert(found: Alert) -> wire.Alert:
    return {
        "identifier": found.identifier,
        "status": found.status,
        "run": found.run if isinstance(found, ExerciseAlert) else None,
        "message_type": found.message_type.value,
        "sender": found.sender,
        "sender_name": name(found.sender_name),
        "sent": found.sent,
        "level": int(found.level),
        "infos": [_info(info) for info in found.infos],
        "references": [
            {"sender": each.sender, "identifier": each.identifier, "sent": each.sent}
            for each in found.references
        ],
        "note": found.note,
        "source": found.source,
    }


def alert_cursor(found: Alert) -> str:
    """Return where a page or a stream that ended with this alert goes on."""
    return cursors.write(cursors.AlertCursor(found.sent, found.identifier))


def _info(info: AlertInfo) -> wire.AlertInfo:
    meaning = MEANINGS[info.level]
    return {
        "event": name(info.event),
        "hazard": info.hazard.code,
        "level": int(info.level),
        "urgency": meaning.urgency,
        "severity": meaning.severity,
        "certainty": meaning.certainty,
        "headline": name(info.headline),
        "description": name(info.description),
        "instruction": name(info.instruction),
        "areas": [_area(area) for area in info.areas],
        "effective": info.effective,
        "expires": info.expires,
        "parameters": dict(info.parameters),
    }


def _area(area: AlertArea) -> wire.AlertArea:
    return {
        "name": name(area.name),
        "entity": area.entity or None,
        "geocodes": {scheme: list(codes) for scheme, codes in area.geocodes.items()},
        "polygons": [[list(point) for point in ring] for ring in area.polygons],
    }


# --- proposals ---------------------------------------------------------------------------------


def proposal_cursor(found: Proposal) -> str:
    """Return where a page that ended with this proposal goes on."""
    return cursors.write(cursors.ProposalCursor(found.created_at, found.revision, found.id))


def proposal(found: Proposal) -> wire.Proposal:
    return {
        "id": found.id,
        "service": found.service,
        "status": found.occasion.status,
        "run": found.occasion.run or None,
        "revision": found.revision,
        "state": found.state.value,
        "assessment": _assessment(found.assessment),
        "created_at": found.created_at,
        "decided_at": found.decided_at,
        "decided_by": found.decided_by or None,
        "decision_note": found.decision_note or None,
        "alert_identifier": found.alert_identifier or None,
        "reassessment": None if found.reassessment is None else _reassessment(found.reassessment),
    }


def exercise_end(end: ExerciseEnd) -> wire.ExerciseEnd:
    return {
        "run": end.exercise.run,
        "superseded": end.superseded,
        "alerts": [alert(each) for each in end.cancels],
    }


def _reassessment(found: Reassessment) -> wire.Reassessment:
    return {"at": found.at, "by": found.by, "reason": found.reason}


def _assessment(found: Assessment) -> wire.Assessment:
    return {
        "situation": found.situation,
        "hazard": found.hazard.code,
        "level": int(found.level),
        "area": _area(found.area),
        "headline": name(found.headline),
        "reason": name(found.reason),
        "evidence": [_evidence(each) for each in found.evidence],
        "rule_version": found.rule_version,
        "at": found.at,
    }


def _evidence(found: Evidence) -> wire.Evidence:
    return {
        "kind": "alert" if found.kind == "alert" else "observation",
        "source": found.source,
        "level": int(found.level),
        "summary": name(found.summary),
        "at": found.at,
        "observed_property": found.observed_property or None,
        "value": found.value,
        "threshold": found.threshold,
        "unit": found.unit or None,
    }


# --- keys and dead letters ---------------------------------------------------------------------


def key(found: ApiKey) -> wire_administration.Key:
    return {
        "id": found.id,
        "name": found.name,
        "role": _role(found.role),
        "created_at": found.created_at,
        "revoked_at": found.revoked_at,
    }


def issued_key(found: ApiKey, text: str) -> wire_administration.IssuedKey:
    return {**key(found), "key": text}


def _role(role: str) -> wire_administration.Role:
    match role:
        case "official":
            return "official"
        case "admin":
            return "admin"
        case _:
            return "reader"


def dead_letter(kept: KeptDeadLetter) -> wire_administration.DeadLetter:
    letter = kept.letter
    return {
        "id": str(kept.id),
        "message": str(letter.raw_id),
        "received_at": letter.received_at,
        "vendor": letter.vendor,
        "device": letter.device,
        "topic": letter.topic,
        "reason": letter.reason,
        "detail": letter.detail,
        "path": letter.path,
        "hint": letter.hint,
        "payload": _text(letter.payload),
        "payload_base64": b64encode(letter.payload).decode(),
        "replayed_at": kept.replayed_at,
    }


# --- state -------------------------------------------------------------------------------------


def readiness(findings: Sequence[Finding]) -> wire_administration.Readiness:
    away = [finding.check for finding in findings if finding.trouble]
    status: Literal["ready", "degraded", "unavailable"] = "degraded" if away else "ready"
    if any(check.required for check in away):
        status = "unavailable"
    return {
        "status": status,
        "checks": [
            {
                "name": finding.check.name,
                "state": "away" if finding.trouble else "ok",
                "required": finding.check.required,
                "detail": finding.trouble,
            }
            for finding in findings
        ],
    }


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
