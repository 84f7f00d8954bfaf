"""Applies the base fields of a pack to its records (RFC 8428, sections 4.1, 4.5 and 4.6)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from adapters.senml.pack import VERSION, Record, is_data
from cityos.errors import UndecodablePayload

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
_ABSOLUTE: Final = 2**28
"""Smaller times are relative to now (4.5.3): 2**28 s is 1978-07-04T21:24:16Z."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NAME: Final = 512


class Resolved(NamedTuple):
    """One record without base fields. ``place`` counts from 0 in the pack.

    ``name`` is base name and name, ``own`` the record's own part of it (empty where the base name
    says it all). ``at`` is None where neither a base time nor a time was given. ``value`` is None
    where the record has a sum only; ``is_data`` says that it is base64url data.
    """

    place: int
    name: str
    own: str
    unit: str | None
    at: datetime | None
    value: float | str | bool | None
    sum: float | None
    is_data: bool = False


class _Base:
    """The base fields in effect: each stands until a record brings another (section 4)."""

    def __init__(self) -> None:
        self.name = ""
        self.time: float | None = None
        self.unit: str | None = None
        self.value: float | None = None
        self.sum: float | None = None
        self.version: float | None = None

    def take(self, record: Record, place: int) -> None:
        if record.bver is not None:
            self._check_version(record.bver, place)
        if record.bn is not None:
            self.name = record.bn
        if record.bt is not None:
            self.time = record.bt
        if record.bu is not None:
            self.unit = record.bu
        if record.bv is not None:
            self.value = record.bv
        if record.bs is not None:
            self.sum = record.bs

    def _check_version(self, version: float, place: int) -> None:
        if version > VERSION or version < 1 or not version.is_integer():
            raise _refusal(
                place,
                "bver",
                f"version {version:g} is not understood here",
                f"send version {VERSION} (RFC 8428, 4.4)",
            )
        if self.version not in (None, version):
            raise _refusal(
                place, "bver", "the version changes within the pack", "one version a pack (4.4)"
            )
        self.version = version


def resolve(records: Iterable[Record], now: datetime) -> list[Resolved]:
    """Return the records with the base fields applied; those with base fields only are left out.

    Relative times are counted from ``now``, aware UTC.

    Raises:
        UndecodablePayload: a version above 10, a name that RFC 8428, 4.5.1, does not allow, no
            value or several, or a time or sum of numbers beyond what can be held.
    """
    base, resolved = _Base(), []
    for place, record in enumerate(records):
        base.take(record, place)
        if _has_entry(record):
            resolved.append(_resolved(record, base, place, now))
    return resolved


def _has_entry(record: Record) -> bool:
    entry = (
        record.n,
        record.u,
        record.v,
        record.vs,
        record.vb,
        record.vd,
        record.s,
        record.t,
        record.ut,
    )
    return (
        any(field is not None for field in entry)
        or record.bv is not None
        or (record.bs is not None)
    )


def _resolved(record: Record, base: _Base, place: int, now: datetime) -> Resolved:
    own = record.n or ""
    total = None
    if record.s is not None or base.sum is not None:
        total = _finite((base.sum or 0.0) + (record.s or 0.0), place, "s")
    return Resolved(
        place=place,
        name=_name(base.name + own, place, "n" if own else "bn"),
        own=own,
        unit=base.unit if record.u is None else record.u,
        at=_time(record, base, place, now),
        value=_value(record, base, place, has_sum=total is not None),
        sum=total,
        is_data=record.vd is not None,
    )


def _name(name: str, place: int, label: str) -> str:
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        shown = name[:60].replace("\0", "�")
        raise _refusal(
            place,
            label,
            f"the name {shown!r} is not one of SenML",
            "base name and name together: A-Z a-z 0-9 - : . / _, a letter or digit first "
            f"(4.5.1), {_LONGEST_NAME} characters at most",
        )
    return name


def _time(record: Record, base: _Base, place: int, now: datetime) -> datetime | None:
    if record.t is None and base.time is None:
        return None
    seconds = (base.time or 0.0) + (record.t or 0.0)
    try:
        start = _EPOCH if seconds >= _ABSOLUTE else now
        return start + timedelta(seconds=seconds)
    except (OverflowError, ValueError) as error:
        raise _refusal(
            place, "t", "the time is not in the years 1 to 9999", "seconds since 1970 (4.5.3)"
        ) from error


def _value(record: Record, base: _Base, place: int, *, has_sum: bool) -> float | str | bool | None:
    given = [
        (label, value)
        for label, value in (
            ("v", record.v),
            ("vs", record.vs),
            ("vb", record.vb),
            ("vd", record.vd),
        )
        if value is not None
    ]
    if len(given) > 1:
        labels = ", ".join(label for label, _ in given)
        raise _refusal(place, given[1][0], f"several values: {labels}", "one value a record (4.2)")
    if not given:
        if base.value is not None and not has_sum:
            return base.value
        if has_sum:
            return None
        raise _refusal(place, "v", "no value", "one of v, vs, vb, vd or s is needed (4.2)")
    label, value = given[0]
    if label == "v":
        return _finite((base.value or 0.0) + float(value), place, "v")
    if label == "vs" and "\0" in str(value):
        raise _refusal(place, "vs", "the text holds a NUL character", "end texts at their length")
    if label == "vd" and not is_data(str(value)):
        raise _refusal(place, "vd", "not base64url without padding", "RFC 4648, section 5")
    return value


def _finite(number: float, place: int, label: str) -> float:
    if not math.isfinite(number):
        raise _refusal(place, label, "beyond a 64-bit float with its base", "section 5, RFC 8428")
    return number


def _refusal(place: int, label: str, detail: str, hint: str) -> UndecodablePayload:
    return UndecodablePayload(detail, path=f"$[{place}].{label}", hint=hint)
