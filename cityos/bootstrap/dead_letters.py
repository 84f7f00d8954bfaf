"""``cityos dead-letters``: what was refused, and sending it again once it is mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cityos.bootstrap import connect
from cityos.bootstrap.city_store import city_store
from cityos.bootstrap.ingest import adapters_of
from cityos.bootstrap.listing import block, some
from cityos.clock import SystemClock
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
            f"{letter.received_at:%Y-%m-%d %H:%M:%S}Z",
            letter.reason,
            f"{letter.vendor}/{letter.device}" if letter.device else letter.topic[:100],
            f"(replayed {kept.replayed_at:%Y-%m-%d %H:%M}Z)" if kept.replayed_at else "",
        )
        yield from block(head, f"{letter.path} {letter.detail}"[:300], width=width)


def replay(
    settings: Settings, *, reason: str, ids: Sequence[int], again: bool, at_now: bool
) -> list[str]:
    """Send what is mended through the broker once more; return what to tell.

    Raises:
        InvalidRequest: there is no such reason.
        NotFound: there is no such tenant.
        Unavailable: the broker or the store went away; what was sent is marked as replayed.
    """
    _check_reason(reason)
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
                settings.tenant, reason=reason, ids=ids, again=again, at_now=at_now
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
    missing = sorted(set(ids) - result.found)
    if missing:
        numbers = ", ".join(map(str, missing))
        yield f"not there, or replayed before (--again sends it once more): {numbers}"


def _check_reason(reason: str) -> None:
    if reason and reason not in set(Reason):
        message = f"reason {reason!r} is none of {', '.join(Reason)}"
        raise InvalidRequest(message, parameter="reason")
