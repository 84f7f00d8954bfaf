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
from cityos.ingest.checks import NEWEST, OLDEST, checked_value, implausible_time
from cityos.ingest.packets import Message
from cityos.ingest.routes import Route, Routes, Unroutable
from cityos.plugins.contract import Fetch, Receipt
from cityos.ports import (
    DeadLetter,
    IngestBatch,
    ObservationWriter,
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


def sequence_after(group: Numbered) -> int:
    """The spool's sequence number after the group's last message."""
    return (group.first_id & _SEQUENCE_MASK) + len(group.messages)


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

    def refuse(self, group: Numbered, error: Rejected) -> IngestBatch:
        """Return the batch that keeps the group's messages as dead letters and nothing else."""
        batch = IngestBatch(stored_up_to=sequence_after(group))
        for number, message in enumerate(group.messages, group.first_id):
            route = self._routes.of(message[0])
            if isinstance(route, Unroutable):
                self._refuse_unroutable(route, message, number, group.received_at, batch)
                continue
            batch.raw.append((number, group.received_at, route.origin, message[1]))
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
        find, keep, number = self._routes.of, batch.raw.append, group.first_id - 1
        receipts: dict[bytes, Receipt] = {}
        for topic, payload in group.messages:
            number += 1
            route = find(topic)
            if isinstance(route, Unroutable):
                self._refuse_unroutable(route, (topic, payload), number, received_at, batch)
                continue
            keep((number, received_at, route.origin, payload))
            receipt = receipts.get(topic)
            if receipt is None:
                receipt = receipts[topic] = route.receipt(received_at)
            refusals = self._read(route, payload, receipt, number, batch)
            if refusals:
                names = (route.tenant, route.vendor, route.device.id)
                batch.dead_letters += [
                    _dead_letter(names, number, received_at, (route.topic, payload), refusal)
                    for refusal in refusals[:_MOST_REFUSALS]
                ]

    def _read(
        self, route: Route, payload: bytes, receipt: Receipt, number: int, batch: IngestBatch
    ) -> Sequence[Rejected]:
        """Decode and check one message; return what was refused of it, nothing as a rule."""
        adapter = route.adapter
        if len(payload) > LARGEST_PAYLOAD_BYTES and not adapter.is_feed:
            return [_too_large(payload)]
        try:
            items = adapter.read(payload, receipt)
            return self._check(route, items, receipt.received_at, number, batch)
        except Rejected as error:
            return [error]
        except Exception:  # noqa: BLE001 - an adapter's fault must not stop its neighbours
            _log.exception("adapter failed", adapter=adapter.version, topic=route.topic)
            return [_adapter_failed(adapter.version)]

    def _check(
        self,
        route: Route,
        items: Iterable[Observation | Bulletin | Fetch],
        received_at: datetime,
        number: int,
        batch: IngestBatch,
    ) -> Sequence[Rejected]:
        oldest, newest = received_at - OLDEST, received_at + NEWEST
        slots = route.slots
        refusals: list[Rejected] = []
        position = -1
        for position, item in enumerate(items):
            if type(item) is not Observation:
                self._keep_bulletin(item, route, number, batch)
                continue
            try:
                slot = slots.get((item.entity, item.observed_property, item.dataset))
                prop, series = slot or route.slot(item, self._writer)
                value = item.value
                # No call for the usual value, a float in the property's own unit and range:
                # this loop is where the time of ingest goes.
                if (
                    type(value) is not float
                    or not prop.minimum <= value <= prop.maximum
                    or (item.unit is not None and item.unit != prop.unit)
                ):
                    value = checked_value(item, prop)
                observed_at, quality = item.observed_at, _GOOD
                if observed_at is None:
                    observed_at, quality = received_at, _TIME_ASSUMED
                elif not oldest <= observed_at <= newest:
                    raise implausible_time(observed_at, received_at)
                batch.values.append((series, observed_at, received_at, number, value, quality))
            except Rejected as error:
                if error.path == "$":
                    error.path = f"$[{position}]"
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
        self, item: Observation | Bulletin | Fetch, route: Route, number: int, batch: IngestBatch
    ) -> None:
        if not isinstance(item, Bulletin):
            return  # links are the poller's to follow, before a document comes here
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
        error.detail.replace("\x00", "�")[:1000],
        error.path[:200],
        error.hint[:1000],
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
    return Rejected(
        Reason.ADAPTER_FAILED,
        f"adapter {version} failed on this payload",
        hint="the payload is kept; it is read again when the adapter is mended",
    )
