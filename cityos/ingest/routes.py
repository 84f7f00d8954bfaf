"""From a topic to all that is needed to read its messages, looked up once.

A route is good until tenants or devices change anywhere (``Registry.devices_version``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, final

from cityos.domain import topic as topics
from cityos.domain.alert import Bulletin
from cityos.domain.entity import REHEARSAL_ONLY, Device, Tenant
from cityos.domain.history import SeriesKey
from cityos.domain.observation import Observation
from cityos.domain.observed_property import PROPERTIES, ObservedProperty, ValueKind
from cityos.domain.occasion import PRACTICE_RUN, RESERVED, Actual, Exercise, Occasion
from cityos.domain.rejection import Reason
from cityos.errors import Rejected
from cityos.ingest.checks import keepable
from cityos.plugins.contract import Decoder, Feed, Fetch, Receipt
from cityos.ports import Clock, ObservationWriter, Origin, Registry, SeriesHandle

Read: TypeAlias = Callable[[bytes, Receipt], Iterable[Observation | Bulletin | Fetch]]

_CHECK_EVERY_S: Final = 1.0
_MOST_ROUTES: Final = 200_000
_LONGEST_DATASET: Final = 100
_LONGEST_NAME: Final = 100
_MOST_SERIES: Final = 1000
"""Of one topic: made-up datasets must not fill the store with series of one value each."""
_tuple: Final = tuple.__new__


class Adapter(NamedTuple):
    """A decoder or a feed as ingest uses it. ``version`` is ``id@version``."""

    version: str
    read: Read
    is_feed: bool

    @classmethod
    def of_decoder(cls, version: str, decoder: Decoder) -> Adapter:
        return cls(version, decoder.decode, is_feed=False)

    @classmethod
    def of_feed(cls, version: str, feed: Feed) -> Adapter:
        return cls(version, feed.read, is_feed=True)


class Slot(NamedTuple):
    """Where a kind of observation of this device goes.

    A float between ``minimum`` and ``maximum``, in ``unit``, needs no further check; where the
    property is no number, there is none such.
    """

    series: SeriesHandle
    minimum: float
    maximum: float
    unit: str
    property: ObservedProperty

    @classmethod
    def of(cls, prop: ObservedProperty, series: SeriesHandle) -> Slot:
        if prop.kind is ValueKind.NUMBER:
            return cls(series, prop.minimum, prop.maximum, prop.unit, prop)
        return cls(series, math.inf, -math.inf, prop.unit, prop)


@final
@dataclass(slots=True, eq=False)
class Route:
    """How to read the messages of one topic."""

    topic: str
    tenant: str
    vendor: str
    device: Device
    adapter: Adapter
    origin: Origin
    occasion: Occasion
    dataset: str
    slots: dict[tuple[str | None, str, str], Slot] = field(default_factory=dict)
    read: Read = field(init=False)
    """The adapter's, a look-up nearer."""
    settings: Mapping[str, Any] = field(init=False)
    """The device's, as its adapter may see them."""

    def __post_init__(self) -> None:
        self.read = self.adapter.read
        settings = self.device.settings
        if REHEARSAL_ONLY in settings:
            settings = {name: settings[name] for name in settings if name != REHEARSAL_ONLY}
        self.settings = settings

    def receipt(self, received_at: datetime) -> Receipt:
        # what the named tuple's own constructor does, without the call that leads there
        return _tuple(Receipt, (self.topic, self.device.id, received_at, "", self.settings))

    def slot(self, observation: Observation, writer: ObservationWriter) -> Slot:
        """Return the slot for an observation that was not seen on this topic before.

        Raises:
            Rejected: the property is not in the closed list, or the device does not speak for
                the entity.
        """
        prop = PROPERTIES.get(observation.observed_property)
        if prop is None:
            name = observation.observed_property[:_LONGEST_NAME]
            raise Rejected(
                Reason.UNKNOWN_PROPERTY,
                f"observed property {name!r} is not known",
                hint=_names_like(name),
            )
        if len(observation.dataset) > _LONGEST_DATASET:
            raise Rejected(
                Reason.OUT_OF_RANGE,
                f"the dataset's name is longer than {_LONGEST_DATASET} characters",
                hint="a dataset tells apart a few series of one property: d1, indoor, forecast",
            )
        if keepable(observation.dataset) != observation.dataset:
            raise Rejected(
                Reason.OUT_OF_RANGE,
                "the dataset's name holds a NUL or half a character",
                hint="send names in UTF-8, and end them at their length",
            )
        if observation.dataset.startswith(RESERVED):
            raise Rejected(
                Reason.RESERVED_NAME,
                f"dataset names that start with {RESERVED!r} are the city's own",
                hint="choose another name, or leave the dataset out",
            )
        if len(self.slots) >= _MOST_SERIES:
            raise Rejected(
                Reason.TOO_MANY_SERIES,
                f"this device has {_MOST_SERIES} series already, and this would be another",
                hint="a dataset tells series apart; it is no place for a time or a number",
            )
        dataset = "/".join(part for part in (self.dataset, observation.dataset) if part)
        key = SeriesKey(
            entity=self._entity(observation.entity),
            observed_property=prop.name,
            dataset=dataset,
        )
        slot = Slot.of(prop, writer.series(self.tenant, key, prop.unit, self.occasion))
        self.slots[observation.entity, observation.observed_property, observation.dataset] = slot
        return slot

    def _entity(self, name: str | None) -> str:
        device = self.device
        if name is None or name == device.entity:
            return device.entity
        entity = device.entities.get(name)
        if entity is not None:
            return entity
        if name in device.entities.values():
            return name
        raise Rejected(
            Reason.UNKNOWN_ENTITY,
            f"device {device.id!r} is not registered for entity {name[:200]!r}",
            hint="leave `entity` out if the device measures one thing only; else send a name that"
            " is registered for it: ask the city's operator which there are, or to add this one",
        )


@lru_cache(maxsize=256)
def _names_like(name: str) -> str:
    """Cached, for a device that is set up wrongly says the same with every message."""
    near = get_close_matches(name.lower(), PROPERTIES, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return f"{meant}GET /v1/observed-properties lists the names and units"


class Unroutable(NamedTuple):
    """A topic whose messages are refused, and why. Names are empty where the topic has none."""

    tenant: str
    vendor: str
    device: str
    error: Rejected


class Routes:
    """The routes of all topics seen so far. Used by one thread at a time."""

    def __init__(
        self,
        registry: Registry,
        adapters: Mapping[str, Adapter],
        writer: ObservationWriter,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._writer = writer
        self._adapters = adapters
        self._clock = clock
        self.known: dict[bytes, Route | Unroutable] = {}
        """What is looked up already; a topic that is not in it is asked for with ``of``."""
        self._devices: dict[tuple[str, str, str], Device] = {}
        self._tenants: dict[str, Tenant] = {}
        self._version = -1
        self._checked_at_s = float("-inf")

    def refresh(self) -> None:
        """Look, at most once a second, whether anything was registered since.

        Raises:
            Unavailable: the registry does not answer; what is known stays in use.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._checked_at_s < _CHECK_EVERY_S:
            return
        version = self._registry.devices_version()
        self._checked_at_s = now_s
        if version == self._version:
            return
        tenants = {tenant.id: tenant for tenant in self._registry.tenants()}
        self._devices = {
            (tenant, device.vendor, device.id): device
            for tenant in tenants
            for device in self._registry.devices(tenant)
        }
        self._tenants = tenants
        self.known.clear()
        self._version = version

    def of(self, topic: bytes) -> Route | Unroutable:
        route = self.known.get(topic)
        if route is None:
            if len(self.known) >= _MOST_ROUTES:  # made-up topics must not fill the memory
                self.known.clear()
            route = self.known[topic] = self._find(topic)
        return route

    def _find(self, raw: bytes) -> Route | Unroutable:
        topic = raw.decode("utf-8", "replace")
        try:
            said = topics.read(topic)
        except Rejected as error:
            return Unroutable("", "", "", error)
        device = self._devices.get((said.tenant, said.vendor, said.device))
        tenant = self._tenants.get(said.tenant)
        if device is None or tenant is None or not device.enabled:
            unknown = Rejected(
                Reason.UNKNOWN_DEVICE,
                f"no device {said.device!r} of vendor {said.vendor!r} is registered",
                hint="ask the operator to register it, or check the topic's spelling",
            )
            return Unroutable(said.tenant if tenant else "", said.vendor, said.device, unknown)
        adapter = self._adapters.get(device.adapter)
        if adapter is None:
            missing = Rejected(
                Reason.UNKNOWN_DEVICE,
                f"the device's adapter {device.adapter!r} is not installed",
                hint="this is the operator's to mend: install the adapter",
            )
            return Unroutable(said.tenant, said.vendor, said.device, missing)
        occasion, dataset = _occasion(tenant, said.run)
        origin = self._writer.origin(
            Origin(said.tenant, said.vendor, said.device, topic, adapter.version)
        )
        return Route(topic, said.tenant, said.vendor, device, adapter, origin, occasion, dataset)


def _occasion(tenant: Tenant, run: str) -> tuple[Occasion, str]:
    """A rehearsal keeps its series apart; a practice city is one long rehearsal of its own."""
    if run:
        exercise = Exercise(run)
        return exercise, exercise.dataset
    if tenant.practice:
        return Exercise(PRACTICE_RUN), ""
    return Actual(), ""
