"""Replays a recorded day through the real broker, as an exercise.

Every message goes out on ``.../observations/exercise/{run}`` with the time that it had, or at
which it came if it has none, so that whatever follows from it (series, proposals, alerts) belongs
to the exercise ``run`` alone and stands at the times of the day.
"""

from __future__ import annotations

import heapq
import math
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from cityos.domain import topic
from cityos.domain.entity import REHEARSAL_ONLY, Device
from cityos.domain.occasion import Exercise
from cityos.errors import InvalidRequest, NotFound
from cityos.ports import CityReader, Clock, EntityQuery, Registry
from cityos.rehearsal.outlet import DrainableOutlet
from cityos.rehearsal.own_times import dated
from cityos.rehearsal.pacing import Pacer
from cityos.rehearsal.progress import Progress
from cityos.rehearsal.readers.detect import open_recordings
from cityos.rehearsal.recording import Recorded, only_rehearses
from cityos.rehearsal.summary import Summary

SLOWEST: Final = 1.0
FASTEST: Final = 1000.0
_INGEST_LEARNS_S: Final = 2.5
"""Ingest looks for new devices once a second; what it does not know it refuses."""
_SEND_S: Final = 30.0
_DRAIN_S: Final = 30.0
_ENTITIES_AT_ONCE: Final = 500


def run_name(source: Path, now: datetime) -> str:
    """Return a name for the exercise, from the file's name and the time: ``fukui-20261122t0102``.

    64 characters of ``a-z 0-9 _ -`` at most.
    """
    stem = re.sub(r"[^a-z0-9_-]+", "-", source.resolve().stem.lower()).strip("-_")
    return f"{stem[:40] or 'replay'}-{now:%Y%m%dt%H%M%S}"


def speed_of(text: str) -> float:
    """Return the speed that ``--speed`` names: 1 to 1000, or ``max`` for as fast as possible.

    Raises:
        InvalidRequest: it is neither.
    """
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not SLOWEST <= speed <= FASTEST:
        message = f"speed {text!r} must be a number from 1 to 1000, or max"
        raise InvalidRequest(message, parameter="speed")
    return speed


class Replay:
    """A replay of what is in ``source`` for ``tenant``, under the name ``run``.

    Raises:
        InvalidRequest: there is nothing to replay, or ``run`` is no name for an exercise.
    """

    def __init__(
        self,
        source: Path,
        *,
        run: str,
        tenant: str,
        registry: Registry,
        city: CityReader,
        clock: Clock,
    ) -> None:
        self._run = Exercise(run).run
        self._tenant = tenant
        self._registry = registry
        self._city = city
        self._clock = clock
        self._recordings, self._no_recordings = open_recordings(source)
        self._adapters: dict[tuple[str, str], str] = {}

    @property
    def titles(self) -> Sequence[str]:
        return [recording.title for recording in self._recordings]

    def prepare(self) -> bool:
        """Register what the recordings need; return whether anything was new.

        Raises:
            InvalidRequest: the tenant has no Municipality entity, which telegrams speak to.
            NotFound: there is no such tenant.
        """
        self._city.tenant(self._tenant)
        known = {(d.vendor, d.id): d for d in self._registry.devices(self._tenant)}
        new: list[Device] = []
        for recording in self._recordings:
            needs = recording.needs(self._tenant)
            devices = [
                replace(
                    device,
                    entity=self._municipality() if needs.municipality else device.entity,
                    settings={REHEARSAL_ONLY: True},
                )
                for device in needs.devices
                if self._is_ours(known.get((device.vendor, device.id)), device)
            ]
            entities = [e for e in needs.entities if self._only_rehearsed(e.id, new=True)]
            for start in range(0, len(entities), _ENTITIES_AT_ONCE):
                part = entities[start : start + _ENTITIES_AT_ONCE]
                self._registry.put_entities(self._tenant, part)
            new += [d for d in devices if known.get((d.vendor, d.id)) != d]
        if new:
            self._registry.put_devices(self._tenant, new)
        devices = [*known.values(), *new]
        self._adapters = {(device.vendor, device.id): device.adapter for device in devices}
        return bool(new)

    def play(
        self, outlet: DrainableOutlet, *, speed: float, stop: threading.Event, progress: Progress
    ) -> Summary:
        """Prepare, publish everything at its time, and wait until the broker has it.

        ``speed`` is recorded seconds a second; infinite for as fast as possible. ``stop`` or
        Ctrl-C ends it early; the summary then says so.

        Raises:
            Unavailable: the broker or the store went away for longer than their deadlines.
        """
        started_s = self._clock.monotonic_s()
        summary = Summary(self._run, self.titles)
        summary.skipped.include(self._no_recordings)
        if self.prepare():
            stop.wait(_INGEST_LEARNS_S)
        pacer = Pacer(self._clock, speed, stop.wait)
        total = sum(recording.count() for recording in self._recordings)
        try:
            with progress.over(total):
                self._publish(outlet, pacer, summary, progress)
        except KeyboardInterrupt:
            summary.stopped = True
        outlet.drain(_DRAIN_S)
        summary.stopped |= stop.is_set()
        summary.took_s = self._clock.monotonic_s() - started_s
        summary.silence_cut = pacer.cut
        summary.refused = outlet.refused
        for recording in self._recordings:
            summary.skipped.include(recording.skipped)
        return summary

    def _publish(
        self, outlet: DrainableOutlet, pacer: Pacer, summary: Summary, progress: Progress
    ) -> None:
        streams = [recording.messages() for recording in self._recordings]
        for message in heapq.merge(*streams, key=_time_of):
            adapter = self._adapters.get((message.vendor, message.device))
            if adapter is None:
                name = f"{message.vendor}/{message.device}"
                summary.skipped.add("the device is not registered in this city", name)
                continue
            if not pacer.until(message.time):
                return
            where = topic.observations(self._tenant, message.vendor, message.device, self._run)
            payload = dated(adapter, message.payload, message.time)
            outlet.send(where, payload, timeout_s=_SEND_S)
            summary.count(message.time)
            progress.step(summary.published, message.time)

    def _is_ours(self, known: Device | None, recorded: Device) -> bool:
        """A device that the city registered itself is not to be changed by a rehearsal.

        Replays of earlier versions marked the entities alone, and left the device as recorded.
        """
        return (
            known is None
            or only_rehearses(known)
            or (known == recorded and self._only_rehearsed(known.entity))
        )

    def _only_rehearsed(self, entity_id: str, *, new: bool = False) -> bool:
        """Whether the entity came with a recording; ``new`` is the answer if there is none."""
        try:
            entity = self._city.entity(self._tenant, entity_id)
        except NotFound:
            return new
        return bool(entity.attributes.get(REHEARSAL_ONLY))

    def _municipality(self) -> str:
        query = EntityQuery(type="Municipality", limit=2)
        found = [
            entity.entity
            for entity in self._city.find_entities(self._tenant, query)
            if entity.entity.attributes.get("jma_area_codes")
        ]
        if not found:
            message = (
                f"the city {self._tenant!r} has no Municipality entity with jma_area_codes;"
                " telegrams could not be said to concern it"
            )
            raise InvalidRequest(message, parameter="source")
        return found[0].id


def _time_of(message: Recorded) -> datetime:
    return message.time
