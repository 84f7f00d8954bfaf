"""From messages to what the store keeps: decode, check, and nothing dropped without a reason.

Everything that a message causes carries the message's id. A bad message, or a bad part of one,
becomes a dead letter; its good parts and its neighbours are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from cityos.domain.alert import Bulletin
from cityos.domain.observation import Observation, Quality
from cityos.domain.rejection import Reason
from cityos.errors import Rejected
from cityos.ingest.checks import NEWEST, OLDEST, checked_value, implausible_time, keepable
from cityos.ingest.packets import Message
from cityos.ingest.routes import Route, Routes, Unroutable
from cityos.plugins.contract import Fetch
from cityos.ports import (
    DeadLetter,
    IngestBatch,
    ObservationWriter,
    RawBlock,
    ReceivedAlert,
)

LARGEST_PAYLOAD_BYTES: Final = 256 * 1024
_MOST_REFUSALS: Final = 20
"""Reasons kept of one message: the rest of a thousand bad readings says the same again."""
_SEQUENCE_BITS: Final = 48
_SEQUENCE_MASK: Final = (1 << _SEQUENCE_BITS) - 1

_log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True)
class Numbered:
    """Messages that arrived together, under the numbers that they keep for ever."""

    first_id: int
    received_at: datetime
    messages: Sequence[Message]


def message_id(node: int, sequence: int) -> int:
    """The id of a raw message: the ingest node above, the spool's sequence number below."""
    return node << _SEQUENCE_BITS | sequence


def sequence_of(number: int) -> int:
    """The spool's sequence number of a raw message's id."""
    return number & _SEQUENCE_MASK


def sequence_after(group: Numbered) -> int:
    """The spool's sequence number after the group's last message."""
    return sequence_of(group.first_id) + len(group.messages)


class Pipeline:
    """Decodes and checks. Keeps no message; what it learns of topics is in ``routes``."""

    def __init__(self, routes: Routes, writer: ObservationWriter) -> None:
        self._routes = routes
        self._writer = writer

    def prepare(self, arrived: Sequence[Numbered]) -> IngestBatch:
        """Return what to store for these messages."""
        batch = IngestBatch(stored_up_to=sequence_after(arrived[-1]))
        for group in arrived:
            self._prepare(group, batch)
        return batch

    def refuse(self, group: Numbered, error: Exception) -> IngestBatch:
        """Return the batch that keeps the group's messages as dead letters and nothing else.

        An error that is no refusal is the adapter's: it gave a value that is none of its type.
        """
        batch = IngestBatch(stored_up_to=sequence_after(group))
        for number, message in enumerate(group.messages, group.first_id):
            route = self._routes.of(message[0])
            if isinstance(route, Unroutable):
                self._refuse_unroutable(route, message, number, group.received_at, batch)
                continue
            batch.raw.append(RawBlock(number, group.received_at, [route.origin], [message[1]]))
            if not isinstance(error, Rejected):
                version = route.adapter.version
                _log.error("adapter failed", adapter=version, topic=route.topic, exc_info=error)
                error = _adapter_failed(version)
            batch.dead_letters.append(
                _dead_letter(
                    (route.tenant, route.vendor, route.device.id),
                    number,
                    group.received_at,
                    (route.topic, message[1]),
                    error,
                )
            )
        return batch

    def _prepare(self, group: Numbered, batch: IngestBatch) -> None:
        received_at = group.received_at
        times = received_at, received_at - OLDEST, received_at + NEWEST
        known, find, check = self._routes.known.get, self._routes.of, self._check
        block = RawBlock(group.first_id, received_at, [], [])
        number = group.first_id - 1
        for topic, payload in group.messages:
            number += 1
            route = known(topic) or find(topic)
            if type(route) is not Route:
                self._refuse_unroutable(route, (topic, payload), number, received_at, batch)
                _keep(block, batch)
                block = RawBlock(number + 1, received_at, [], [])
                continue
            block.origins.append(route.origin)
            block.payloads.append(payload)
            refusals: Sequence[Rejected] | None
            if len(payload) > LARGEST_PAYLOAD_BYTES and not route.adapter.is_feed:
                refusals = [_too_large(payload)]
            else:
                try:
                    items = route.read(payload, route.receipt(received_at))
                    refusals = check(route, items, times, number, batch)
                except Rejected as error:
                    refusals = [error]
                except Exception:  # noqa: BLE001 - an adapter's fault must not stop its neighbours
                    version = route.adapter.version
                    _log.exception("adapter failed", adapter=version, topic=route.topic)
                    refusals = [_adapter_failed(version)]
            if refusals:
                names = (route.tenant, route.vendor, route.device.id)
                batch.dead_letters += [
                    _dead_letter(names, number, received_at, (route.topic, payload), refusal)
                    for refusal in refusals[:_MOST_REFUSALS]
                ]
        _keep(block, batch)

    def _check(
        self,
        route: Route,
        items: Iterable[Observation | Bulletin | Fetch],
        times: tuple[datetime, datetime, datetime],
        number: int,
        batch: IngestBatch,
    ) -> Sequence[Rejected] | None:
        """Check what one message says; return what was refused of it, as a rule nothing.

        ``times``: when it was received, and between which times it may have been measured.
        """
        received_at, oldest, newest = times
        slots = route.slots
        refusals: list[Rejected] | None = None
        position = -1
        for item in items:
            position += 1
            try:
                if type(item) is not Observation:
                    self._keep_bulletin(item, route, received_at, number, batch)
                    continue
                name, value, unit, observed_at, entity, dataset = item
                slot = slots.get((entity, name, dataset))
                series, minimum, maximum, own_unit, prop = slot or route.slot(item, self._writer)
                # No call for the usual value, a float in the property's own unit and range:
                # this loop is where the time of ingest goes.
                if (
                    type(value) is not float
                    or not minimum <= value <= maximum
                    or (unit is not None and unit != own_unit)
                ):
                    value = checked_value(item, prop)
                quality = _GOOD
                if observed_at is None:
                    observed_at, quality = received_at, _TIME_ASSUMED
                elif not oldest <= observed_at <= newest:
                    raise implausible_time(observed_at, received_at)
                batch.values.append((series, observed_at, received_at, number, value, quality))
            except Rejected as error:
                if error.path == "$":
                    error.path = f"$[{position}]"
                if refusals is None:
                    refusals = []
                refusals.append(error)
        if position < 0 and not route.adapter.is_feed:
            return [_no_observation()]
        return refusals

    def _refuse_unroutable(
        self,
        route: Unroutable,
        message: Message,
        number: int,
        received_at: datetime,
        batch: IngestBatch,
    ) -> None:
        topic, payload = message[0].decode("utf-8", "replace").replace("\x00", "�"), message[1]
        names = (route.tenant, route.vendor, route.device)
        batch.dead_letters.append(
            _dead_letter(names, number, received_at, (topic, payload), route.error)
        )

    def _keep_bulletin(
        self,
        item: Observation | Bulletin | Fetch,
        route: Route,
        received_at: datetime,
        number: int,
        batch: IngestBatch,
    ) -> None:
        """Raises Rejected for one from the future: it would stand above all that are to come."""
        if isinstance(item, Fetch):
            return  # links are the poller's to follow, before a document comes here
        if not isinstance(item, Bulletin):
            message = f"an adapter yields observations and bulletins, no {type(item).__name__}"
            raise TypeError(message)
        if item.sent > received_at + NEWEST:
            raise implausible_time(item.sent, received_at)
        batch.alerts.append(
            ReceivedAlert(
                tenant=route.tenant,
                dataset=route.dataset,
                alert=item.on(route.occasion),
                supersedes=item.supersedes,
                valid_until=item.valid_until,
                raw_id=number,
            )
        )


def _keep(block: RawBlock, batch: IngestBatch) -> None:
    if block.payloads:
        batch.raw.append(block)


_GOOD: Final = int(Quality.GOOD)
_TIME_ASSUMED: Final = int(Quality.TIME_ASSUMED)


def _dead_letter(
    names: tuple[str, str, str],
    number: int,
    received_at: datetime,
    message: tuple[str, bytes],
    error: Rejected,
) -> DeadLetter:
    tenant, vendor, device = names
    topic, payload = message
    return DeadLetter(
        tenant,
        number,
        received_at,
        vendor,
        device,
        topic,
        payload,
        str(error.reason),
        keepable(error.detail)[:1000],
        keepable(error.path)[:200],
        keepable(error.hint)[:1000],
    )


def _too_large(payload: bytes) -> Rejected:
    return Rejected(
        Reason.TOO_LARGE,
        f"the payload has {len(payload)} bytes, the limit is {LARGEST_PAYLOAD_BYTES}",
        hint="send fewer readings in one message",
    )


def _no_observation() -> Rejected:
    return Rejected(
        Reason.NO_OBSERVATION,
        "the payload holds no observation",
        hint="send at least one reading, or nothing at all",
    )


def _adapter_failed(version: str) -> Rejected:
    """Return the refusal of a payload that the adapter read wrongly, or not at all."""
    return Rejected(
        Reason.ADAPTER_FAILED,
        f"adapter {version} failed on this payload",
        hint="the payload is kept; it is read again when the adapter is mended",
    )
