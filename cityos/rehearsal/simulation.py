"""The simulated day: what every device of a city would send while a storm passes.

Pure: the same city, seed and start give the same bytes. Two clocks run in it. The weather and
the rivers run ``pace`` times as fast as the calendar, and begin at the scenario's opening hour;
buses and meters run with the calendar, so that a speed fits the positions and a register the
power. At a pace of 1 both are one.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Final, NamedTuple, TypeAlias

from cityos.domain.entity import Device, Entity
from cityos.domain.observation import Position
from cityos.rehearsal.city_files import City, urn
from cityos.rehearsal.payloads import ENCODERS, Value
from cityos.rehearsal.power import BuildingLoad
from cityos.rehearsal.rivers import River
from cityos.rehearsal.scenario import BuildingTable, RiverTable
from cityos.rehearsal.traffic import Fix, line_of
from cityos.rehearsal.weather import RainRecord, Storm

_WEATHER_EVERY_S: Final = 600.0  # by the weather's clock: Japanese gauges report every 10 minutes
_SHORTEST_S: Final = 5.0
_BUS_EVERY_S: Final = 5.0
_METER_EVERY_S: Final = 20.0
_TIP_MM: Final = 0.5  # what one tip of a Japanese rain gauge's bucket measures
_LEVEL_NOISE_M: Final = 0.004
_NOMINAL_V: Final = 202.0

Sensor: TypeAlias = Callable[[datetime, float], Sequence[Value]]
"""Asked in the order of time: calendar time and storm hour in, values out."""


class Emission(NamedTuple):
    """One message of the day: when it is sent (also the time in it), by whom, and what."""

    time: datetime
    device: Device
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Source:
    device: Device
    every: timedelta
    first: timedelta
    sensor: Sensor
    encode: Callable[[Sequence[Value], datetime], bytes]


def simulate(
    city: City, *, start: datetime, pace: float = 1.0, seed: int | None = None
) -> Iterator[Emission]:
    """Yield the day's messages in the order of time, without end: the storm comes back daily.

    ``start`` is aware UTC, ``pace`` the storm's hours in one hour, ``seed`` the scenario's where
    none is given.
    """
    chosen = city.scenario.seed if seed is None else seed
    start = start.replace(microsecond=0)
    sources = _sources(city, chosen, pace)
    queue = [(start + source.first, number) for number, source in enumerate(sources)]
    heapq.heapify(queue)
    while queue:
        at, number = queue[0]
        source = sources[number]
        heapq.heapreplace(queue, (at + source.every, number))
        storm_h = city.scenario.opening_h + (at - start).total_seconds() * pace / 3600.0
        yield Emission(at, source.device, source.encode(source.sensor(at, storm_h), at))


def simulated_devices(city: City) -> list[Device]:
    """Return those of the city's devices that speak in its simulated day."""
    return [source.device for source in _sources(city, city.scenario.seed, pace=1.0)]


def _sources(city: City, seed: int, pace: float) -> list[_Source]:
    center = _center(city)
    storm = Storm(city.scenario.storm, center, seed)
    entities = {entity.id: entity for entity in city.entities}
    makers: Mapping[str, Callable[[Entity], tuple[float, Sensor] | None]] = {
        "WaterLevelGauge": lambda entity: _gauge(entity, city, storm, center, seed, pace),
        "RainGauge": lambda entity: _rain_gauge(entity, storm, center, pace),
        "Bus": lambda entity: _bus(entity, entities, seed),
        "Building": lambda entity: _building(entity, city, seed),
    }
    found: list[tuple[Device, float, Sensor]] = []
    for device in city.devices:
        entity = entities[device.entity]
        if not device.enabled or device.adapter not in ENCODERS or entity.type not in makers:
            continue
        made = makers[entity.type](entity)
        if made is not None:
            found.append((device, *made))
    return [
        _Source(
            device,
            timedelta(seconds=every_s),
            # spread over the interval, in whole seconds: real devices do not speak in chorus
            timedelta(seconds=int(every_s * number / len(found))),
            sensor,
            ENCODERS[device.adapter],
        )
        for number, (device, every_s, sensor) in enumerate(found)
    ]


def _gauge(
    entity: Entity, city: City, storm: Storm, center: Position, seed: int, pace: float
) -> tuple[float, Sensor]:
    table = city.scenario.rivers.get(_local(entity, city), RiverTable())
    river = River(entity, table, storm, center)
    river.open_at(city.scenario.opening_h)

    def sensor(at: datetime, storm_h: float) -> Sequence[Value]:
        river.advance(storm_h)
        ripple = _LEVEL_NOISE_M * _noise(seed, entity.id, at)
        return [Value("water_level", round(river.level_m + ripple, 2), "m")]

    return max(_SHORTEST_S, _WEATHER_EVERY_S / pace), sensor


def _rain_gauge(
    entity: Entity, storm: Storm, center: Position, pace: float
) -> tuple[float, Sensor]:
    record = RainRecord(storm, entity.position or center)

    def tipped_mm(hour: float) -> float:
        return record.sum_mm(hour) // _TIP_MM * _TIP_MM

    def sensor(_at: datetime, storm_h: float) -> Sequence[Value]:
        now_mm = tipped_mm(storm_h)
        return [
            Value("precipitation_10min", now_mm - tipped_mm(storm_h - 1.0 / 6.0), "mm"),
            Value("precipitation_1h", now_mm - tipped_mm(storm_h - 1.0), "mm"),
        ]

    return max(_SHORTEST_S, _WEATHER_EVERY_S / pace), sensor


def _bus(entity: Entity, entities: Mapping[str, Entity], seed: int) -> tuple[float, Sensor] | None:
    route = entities.get(str(entity.attributes.get("route", "")))
    if route is None or route.geometry is None or "Line" not in route.geometry["type"]:
        return None
    line = line_of(route.geometry)
    lead_s = (_noise(seed, entity.id) + 1.0) / 2.0 * line.round_trip_s

    def sensor(at: datetime, _storm_h: float) -> Sequence[Value]:
        fix = line.fix(at.timestamp() + lead_s)
        position = Position(round(fix.position.longitude, 6), round(fix.position.latitude, 6))
        return [
            Value("position", position),
            Value("speed", fix.speed_km_per_h, "km/h"),
            Value("heading", round(fix.heading_deg % 360.0, 1) % 360.0, "deg"),
            Value("occupancy", _occupancy(fix, at, seed, entity.id), "%"),
        ]

    return _BUS_EVERY_S, sensor


def _building(entity: Entity, city: City, seed: int) -> tuple[float, Sensor]:
    table = city.scenario.buildings.get(_local(entity, city), BuildingTable())
    load = BuildingLoad(entity.id, table.mean_kw, seed)

    def sensor(at: datetime, _storm_h: float) -> Sequence[Value]:
        voltage = _NOMINAL_V + 1.5 * _noise(seed, entity.id, at)
        return [
            Value("active_power", round(load.power_w(at), 0), "W"),
            Value("active_energy_import", round(load.register_kwh(at), 3), "kW.h"),
            Value("voltage", round(voltage, 1), "V"),
        ]

    return _METER_EVERY_S, sensor


def _occupancy(fix: Fix, at: datetime, seed: int, name: str) -> float:
    """Fullest half-way between the terminals; the rest changes from trip to trip."""
    trip = _noise(seed, name, at.replace(minute=0, second=0))
    fullness = 15.0 + 55.0 * (1.0 - abs(2.0 * fix.share - 1.0)) + 15.0 * trip
    return round(min(100.0, max(0.0, fullness)), 0)


def _noise(seed: int, name: str, at: datetime | None = None) -> float:
    """A number from -1 to 1 that depends on nothing but its arguments."""
    text = f"{seed}/{name}/{at.timestamp() if at else ''}"
    return zlib.crc32(text.encode()) / 0x7FFF_FFFF - 1.0


def _center(city: City) -> Position:
    positions = [entity.position for entity in city.entities if entity.position]
    if not positions:
        return Position(0.0, 0.0)
    return Position(
        fmean(position.longitude for position in positions),
        fmean(position.latitude for position in positions),
    )


def _local(entity: Entity, city: City) -> str:
    return entity.id.removeprefix(urn(city.tenant.id, f"{entity.type}:"))
