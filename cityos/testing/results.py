"""Holds what a plugin returns against its contract and its manifest.

The engine checks every value again on its way into the store; here a plugin's author hears of it
first, with the case in hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from cityos.domain.alert import Bulletin
from cityos.domain.observation import Observation, Position, Value
from cityos.domain.observed_property import PROPERTIES, ObservedProperty, ValueKind
from cityos.domain.proposal import Assessment
from cityos.domain.unit import convert
from cityos.errors import Rejected
from cityos.plugins.contract import Fetch
from cityos.plugins.manifest import Kind, Manifest

_TYPES: Final = {
    ValueKind.NUMBER: (int, float),
    ValueKind.TEXT: (str,),
    ValueKind.BOOLEAN: (bool,),
    ValueKind.POSITION: (Position,),
    ValueKind.JSON: (str, int, float, bool, list, dict),
}


def problems(results: Iterable[object], manifest: Manifest) -> list[str]:
    """Return what is wrong with the results of one call, each line with the place in them."""
    return [
        f"[{place}]: {problem}"
        for place, result in enumerate(results)
        for problem in _problems(result, manifest)
    ]


def _problems(result: object, manifest: Manifest) -> list[str]:
    match manifest.kind, result:
        case ((Kind.DECODER | Kind.FEED), Observation()):
            return _of_observation(result, manifest)
        case Kind.FEED, Bulletin():
            said = [] if manifest.alerts else ["yields a Bulletin, but the manifest has no alerts"]
            return said + _of_time("sent", result.sent)
        case Kind.FEED, Fetch():
            return [] if result.url.startswith(("http://", "https://")) else ["Fetch without URL"]
        case Kind.SERVICE, Assessment():
            return _of_assessment(result)
    return [f"a {manifest.kind} must not return a {type(result).__name__}"]


def _of_observation(observation: Observation, manifest: Manifest) -> list[str]:
    name = observation.observed_property
    prop = PROPERTIES.get(name)
    if prop is None:
        return [f"{name!r} is not in the list of observed properties"]
    found = [] if manifest.names(name) else [f"observes {name}, which the manifest does not list"]
    if observation.observed_at is not None:
        found += _of_time("observed_at", observation.observed_at)
    found += _of_value(observation.value, prop)
    if observation.unit is not None:
        try:
            convert(1.0, observation.unit, prop.unit)
        except Rejected as error:
            found.append(f"{name}: {error.detail}; {error.hint}")
    texts = (observation.entity, observation.dataset, observation.unit, observation.value)
    if any(isinstance(text, str) and "\0" in text for text in texts):
        found.append(f"{name}: NUL in a text, which PostgreSQL refuses")
    return found


def _of_value(value: Value, prop: ObservedProperty) -> list[str]:
    wanted = _TYPES[prop.kind]
    is_boolean = isinstance(value, bool) and bool not in wanted
    if is_boolean or not isinstance(value, wanted):
        return [f"{prop.name} is a {prop.kind}, the value is a {type(value).__name__}"]
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{prop.name}: the value is not finite"]
    return []


def _of_time(name: str, time: datetime) -> list[str]:
    return [] if time.utcoffset() == timedelta(0) else [f"{name} {time} is not aware UTC"]


def _of_assessment(assessment: Assessment) -> list[str]:
    found = _of_time("at", assessment.at)
    if not assessment.situation:
        found.append("situation is empty: it names the course of events that this belongs to")
    if not assessment.evidence:
        found.append("no evidence: a person cannot decide without knowing what it rests on")
    if not assessment.rule_version:
        found.append("no rule_version: the decision could not be replayed")
    for text, language in (
        (text, language)
        for text in (assessment.headline, assessment.reason)
        for language in ("en", "ja")
    ):
        if not getattr(text, language):
            found.append(f"headline and reason have to be given in {language}")
    return found
