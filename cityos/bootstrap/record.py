"""``cityos record``: what the city's devices sent in a time, written to be replayed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cityos.bootstrap import connect
from cityos.bootstrap.city_store import city_store
from cityos.bootstrap.welcome import cityos_command
from cityos.clock import SystemClock, for_people, local
from cityos.errors import InvalidRequest, NotFound
from cityos.rehearsal import recorder
from cityos.rehearsal.recorder import Written
from cityos.rehearsal.recording import Recorded
from cityos.settings import Settings
from cityos.storage.raw_messages import PostgresRawMessages, RawMessage

_APPLICATION: Final = "cityos-record"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Asked(NamedTuple):
    """The time that is asked for, ``since <= t < until``, in UTC."""

    since: datetime
    until: datetime

    def before(self, limit: datetime) -> timedelta:
        """How much of it lies before ``limit``."""
        return max(timedelta(0), min(self.until, limit) - self.since)

    def __str__(self) -> str:
        return f"from {for_people(self.since)} until {for_people(self.until)}"


def run(
    settings: Settings,
    file: Path,
    *,
    since: str,
    until: str,
    vendor: str,
    tenant: str | None,
    force: bool,
) -> list[str]:
    """Write the recording; return what to tell.

    ``tenant`` is the city that was named on the command line: it is named to the replay, too.

    Raises:
        InvalidRequest: a time is none, or the file's place is no place for it.
        Conflict: the file is there already.
        NotFound: there is no such tenant, or no message of that time.
        SetupFailed: the disk does not take it.
        Unavailable: the store went away, or is too slow.
    """
    asked, now = asked_time(since, until), SystemClock().now()
    recorder.check_target(file, force=force)
    url = connect.addresses(settings, "database_url").database_url
    with city_store(url, settings.tenant, application=_APPLICATION) as database:
        kept = PostgresRawMessages(database).sent(
            settings.tenant, asked.since, min(asked.until, now), vendor=vendor
        )
        written = recorder.write(file, map(_recorded, kept), tenant=settings.tenant, force=force)
    gone = list(_gone(asked, now, settings.raw_retention_days))
    if not written.messages:
        whose = f"vendor {vendor!r} in the city" if vendor else "the city"
        message = f"no message of {whose} {settings.tenant!r} is kept {asked}"
        raise NotFound("; ".join([message, *gone]))
    owner = f" --tenant {tenant}" if tenant else ""
    replay = f"replay {shlex.quote(str(file.absolute()))} --speed 60{owner}"
    return [
        *_told(written, file, asked),
        *gone,
        "rehearse it, an hour a minute:",
        f"  {cityos_command(settings.home)} {replay}",
    ]


def asked_time(since: str, until: str) -> Asked:
    """Read the two ends of the time.

    Raises:
        InvalidRequest: one is no time, or the first does not come before the second.
    """
    asked = Asked(_time(since, "since"), _time(until, "until"))
    if asked.since >= asked.until:
        message = (
            f"--since must be before --until, and the time is {asked};"
            " for a whole day give the day and the next one"
        )
        raise InvalidRequest(message, parameter="since")
    return asked


def _time(text: str, parameter: str) -> datetime:
    """A time of RFC 3339 with its offset, or a date: its first moment on this machine."""
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None or _DATE.fullmatch(text):
            return local(read).astimezone(UTC)
        message = f"--{parameter} has no offset; write {text}Z for UTC or {text}+09:00"
    except (ValueError, OverflowError):
        message = (
            f"--{parameter} {text!r} must be a time such as 2026-11-22T09:00:00+09:00,"
            " or a date such as 2026-11-22 (in this server's time zone)"
        )
    raise InvalidRequest(message, parameter=parameter)


def _told(written: Written, file: Path, asked: Asked) -> Iterator[str]:
    messages = _counted(written.messages, "message")
    devices = _counted(len(written.devices), "device")
    yield f"written: {messages} of {devices} to {file}, received {asked}"
    if written.too_long:
        yield f"left out: {_counted(written.too_long, 'message')}, too long for a recording"


def _gone(asked: Asked, now: datetime, retention_days: int) -> Iterator[str]:
    """Say how much of the asked time may be deleted already; nothing where none is."""
    limit = now - timedelta(days=retention_days)
    before = timedelta(seconds=int(asked.before(limit).total_seconds()))
    if before:
        yield (
            f"{before} of the asked time lies before {for_people(limit)}: messages are kept for"
            f" {_counted(retention_days, 'day')} (CITYOS_RAW_RETENTION_DAYS)"
        )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _recorded(message: RawMessage) -> Recorded:
    return Recorded(message.received_at, message.vendor, message.device, message.payload)
