"""``cityos dead-letters``: what was refused, and sending it again once it is mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cityos.bootstrap import connect
from cityos.bootstrap.city_store import city_store
from cityos.bootstrap.ingest import adapters_of
from cityos.bootstrap.listing import block, some
from cityos.bootstrap.record import asked_time
from cityos.clock import SystemClock, for_people
from cityos.domain.rejection import Reason
from cityos.errors import InvalidRequest
from cityos.ingest.pipeline import Pipeline
from cityos.ingest.redelivery import Redelivered, Redelivery
from cityos.ingest.routes import Routes
from cityos.messaging.mqtt import MqttPublisher
from cityos.plugins.discovery import discover
from cityos.runtime import log_format, mqtt_access
from cityos.settings import Settings
from cityos.storage.dead_letters import PostgresDeadLetters
from cityos.storage.registry import PostgresRegistry
from cityos.storage.writer import PostgresObservationWriter

_APPLICATION: Final = "cityos-dead-letters"
_MOST_HINDRANCES: Final = 20
_MOST_NAMED: Final = 5


def listed(settings: Settings, *, reason: str, limit: int, width: int) -> Iterator[str]:
    """Yield the newest dead letters, each as a block of lines of ``width`` columns.

    Raises:
        InvalidRequest: there is no such reason.
        NotFound: there is no such tenant.
    """
    _check_reason(reason)
    url = connect.addresses(settings, "database_url").database_url
    with city_store(url, settings.tenant, application=_APPLICATION) as database:
        letters = PostgresDeadLetters(database).newest(settings.tenant, reason=reason, limit=limit)
    if not letters:
        yield "nothing is kept that was refused" + (f" with the reason {reason}" if reason else "")
    for kept in letters:
        letter = kept.letter
        head = (
            str(kept.id),
            for_people(letter.received_at),
            letter.reason,
            f"{letter.vendor}/{letter.device}" if letter.device else letter.topic[:100],
            f"(replayed {for_people(kept.replayed_at)})" if kept.replayed_at else "",
        )
        yield from block(head, f"{letter.path} {letter.detail}"[:300], width=width)


def replay(
    settings: Settings,
    *,
    reason: str,
    ids: Sequence[int],
    since: str,
    until: str,
    again: bool,
    at_now: bool,
    clock_was_wrong: bool,
) -> list[str]:
    """Send what is mended through the broker once more; return what to tell.

    ``since`` and ``until``: only what was received then, by the clock of then.

    Raises:
        InvalidRequest: there is no such reason or time; nothing says when the clock was wrong.
        NotFound: there is no such tenant.
        Unavailable: the broker or the store went away; what was sent is marked as replayed.
    """
    _check_reason(reason)
    received = asked_time(since, until) if since or until else None
    if clock_was_wrong and not (received or ids):
        raise InvalidRequest(
            "--clock-was-wrong needs --since and --until, or --id: the other readings that were"
            " refused for their time were refused rightly",
            parameter="clock_was_wrong",
        )
    # an adapter that is still at fault is in the counts; its trace is in the log of ingest
    log_format.configure(form=settings.log_format, level="critical")
    found = connect.addresses(settings, "database_url", "mqtt_url")
    with city_store(found.database_url, settings.tenant, application=_APPLICATION) as database:
        plugins, clock = discover(settings=settings.plugins), SystemClock()
        writer = PostgresObservationWriter(database, wanted=lambda _: False)
        routes = Routes(PostgresRegistry(database), adapters_of(plugins), writer, clock)
        routes.refresh()
        publisher = MqttPublisher(
            found.mqtt_url(mqtt_access.REPLAY.name), client_id="cityos-replay", heard=True
        )
        try:
            redelivery = Redelivery(
                PostgresDeadLetters(database), Pipeline(routes, writer), publisher, clock
            )
            result = redelivery.run(
                settings.tenant,
                reason=reason,
                ids=ids,
                again=again,
                at_now=at_now,
                received=received,
                clock_was_wrong=clock_was_wrong,
            )
        finally:
            publisher.close()
    return list(_told(result, ids))


def _told(result: Redelivered, ids: Sequence[int]) -> Iterator[str]:
    left_out = sorted(result.left_out.items(), key=lambda item: -len(item[1]))
    looked_at = result.letters + sum(len(letters) for _, letters in left_out)
    yield (
        f"handed to the broker: {result.messages} messages,"
        f" for {result.letters} of the {looked_at} dead letters looked at"
    )
    if result.messages:
        yield "what is refused once more is a new dead letter: cityos dead-letters list"
    for hindrance, letters in left_out[:_MOST_HINDRANCES]:
        yield f"left out: {len(letters)}, {hindrance} (id {some(letters, _MOST_NAMED)})"
    others = left_out[_MOST_HINDRANCES:]
    if others:
        count = sum(len(letters) for _, letters in others)
        yield f"left out: {count}, for {len(others)} other reasons"
    if any(Reason.IMPLAUSIBLE_TIME in hindrance for hindrance in result.left_out):
        yield (
            "was it this server's clock that was wrong? --clock-was-wrong --since TIME"
            " --until TIME sends those that came then"
        )
    missing = sorted(set(ids) - result.found)
    if missing:
        numbers = ", ".join(map(str, missing))
        why = "not there, not of that time, or replayed before (--again sends it once more)"
        yield f"{why}: {numbers}"


def _check_reason(reason: str) -> None:
    if reason and reason not in set(Reason):
        message = f"reason {reason!r} is none of {', '.join(Reason)}"
        raise InvalidRequest(message, parameter="reason")
