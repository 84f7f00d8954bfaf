"""A city as a folder of tables: tenant, entities and devices that a town writes down itself.

    city.toml               who the city is
    entities/<Type>.csv     things with a position, one a row (WaterLevelGauge.csv, ...)
    entities/<Type>.geojson things with a line or an area (Municipality, Area, BusRoute, ...)
    devices.csv             who publishes what, through which adapter
    simulation.toml         optional: the storm and the rivers of the simulated day

Nothing here knows a particular town. The format is described in deploy/demo/README.md.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from cityos.domain.entity import Device, Entity, Name, Tenant
from cityos.domain.observation import Position
from cityos.errors import InvalidRequest
from cityos.ports import Registry
from cityos.rehearsal.city_tables import (
    REFERENCES,
    Faults,
    Row,
    attribute,
    csv_rows,
    geojson_rows,
    number,
    on_earth,
)
from cityos.rehearsal.scenario import Scenario

T = TypeVar("T", bound=msgspec.Struct)

_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TYPE: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_JMA_AREA: Final = re.compile(r"[0-9]{7}")
_LOCAL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_DEVICE_COLUMNS: Final = ("vendor", "id", "adapter", "entity", "entities", "settings", "enabled")
_LEVELS: Final = (
    "standby_level_m",
    "caution_level_m",
    "evacuation_level_m",
    "danger_level_m",
    "overflow_level_m",
)
_FRAME: Final = frozenset({"id", "name_en", "name_ja", "longitude", "latitude"})
_SAY_PRACTICE: Final = (
    "the line `practice` is missing: `practice = true` for a city that practices, whose alerts are"
    " exercises; `practice = false` for a city in earnest, whose alerts are real"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """What a folder says. ``entities`` and ``devices`` are in the order of their files."""

    tenant: Tenant
    entities: tuple[Entity, ...]
    devices: tuple[Device, ...]
    scenario: Scenario


class _NameTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    en: str
    ja: str


class _Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str | _NameTable
    publisher: str | _NameTable
    licence: str
    licence_url: str = ""


class _CityTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    name: _NameTable
    municipality_code: str
    alert_sender: str
    practice: bool | None = None  # None: the line is missing
    jma_area_codes: tuple[str, ...] = ()
    jma_tsunami_area_codes: tuple[str, ...] = ()
    sources: tuple[_Source, ...] = ()


def load(folder: Path) -> City:
    """Read the folder.

    Raises:
        InvalidRequest: a file is missing or wrong; every line of the message names a file and a
            line of it, and says what to mend.
    """
    faults = Faults()
    table = _toml(folder / "city.toml", _CityTable, faults, required=True)
    scenario = _toml(folder / "simulation.toml", Scenario, faults, required=False)
    if table is not None and not _TENANT.fullmatch(table.id):
        faults.add("city.toml", f"id {table.id!r} must be 1-64 characters of a-z, 0-9, _ or -")
        table = None
    if table is None:  # every URN needs the tenant's id
        faults.refuse()
    _check_city(table, faults)
    entities = _Entities(table, faults)
    entities.read(folder / "entities")
    devices = list(_devices(folder / "devices.csv", table.id, entities, faults))
    if scenario is not None:
        _check_scenario(scenario, table.id, entities)
    faults.refuse_if_any()
    return City(
        tenant=_tenant(table),
        entities=tuple(entities.found.values()),
        devices=tuple(devices),
        scenario=scenario or Scenario(),
    )


def register(city: City, registry: Registry) -> None:
    """Create or replace what the folder says. Doing it again changes nothing."""
    registry.put_tenant(city.tenant)
    registry.put_entities(city.tenant.id, city.entities)
    registry.put_devices(city.tenant.id, city.devices)


def urn(tenant: str, reference: str) -> str:
    """Return the URN of ``Type:local-id``; a URN is returned as it is."""
    if reference.startswith("urn:"):
        return reference
    kind, _, local = reference.partition(":")
    return f"urn:ngsi-ld:{kind}:{tenant}:{local}"


def _tenant(table: _CityTable) -> Tenant:
    return Tenant(
        id=table.id,
        name=Name(table.name.en, table.name.ja),
        practice=table.practice is not False,
        attributes={
            "municipality_code": table.municipality_code,
            "jma_area_codes": list(table.jma_area_codes),
            "jma_tsunami_area_codes": list(table.jma_tsunami_area_codes),
            "alert_sender": table.alert_sender,
            "sources": [msgspec.to_builtins(source) for source in table.sources],
        },
    )


def _check_city(table: _CityTable, faults: Faults) -> None:
    if table.practice is None:
        faults.add("city.toml", _SAY_PRACTICE)
    for code in table.jma_area_codes:
        if not _JMA_AREA.fullmatch(code):
            fault = f"jma_area_codes: {code!r} is not JMA's code of a municipality: seven digits"
            faults.add("city.toml", fault)


class _Entities:
    """The entities of one folder, ``found`` by id.

    A table of which a row was left out is incomplete: what names its things is not judged.
    """

    def __init__(self, table: _CityTable, faults: Faults) -> None:
        self.found: dict[str, Entity] = {}
        self._incomplete: set[str] = set()
        self._table = table
        self._faults = faults
        self._places: dict[str, str] = {}
        self._references: list[tuple[str, str, str]] = []

    def read(self, folder: Path) -> None:
        """Read every table, then look for the things that rows name."""
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            left_out = Faults()
            for row in self._rows(path, left_out):
                entity = self._entity(path.stem, row, left_out)
                if entity is None:
                    continue
                if entity.id in self.found:
                    self._faults.add(row.place, f"id is there already: {self._places[entity.id]}")
                self.found[entity.id] = entity
                self._places[entity.id] = row.place
            if left_out:
                self._incomplete.add(path.stem)
                self._faults.include(left_out)
        if not (self.found or self._incomplete):
            self._faults.add("entities", "no entity table was found (entities/<Type>.csv)")
        for place, column, target in self._references:
            self.require(target, place, f"{column}: no entity {target} in this folder")

    def require(self, target: str, place: str, fault: str) -> None:
        """Add the fault where there is no such entity, unless its table is incomplete."""
        if target in self.found:
            return
        if any(target.startswith(urn(self._table.id, f"{kind}:")) for kind in self._incomplete):
            self._faults.follow()
        else:
            self._faults.add(place, fault)

    def _rows(self, path: Path, left_out: Faults) -> Iterator[Row]:
        if path.suffix not in {".csv", ".geojson"}:
            return
        if not _TYPE.fullmatch(path.stem):
            left_out.add(path.name, "the file's name must be an entity type: WaterLevelGauge")
            return
        yield from (csv_rows if path.suffix == ".csv" else geojson_rows)(path, left_out)

    def _entity(self, kind: str, row: Row, left_out: Faults) -> Entity | None:
        cells, place = row.cells, row.place
        missing = [name for name in ("id", "name_en", "name_ja") if name not in cells]
        if missing:
            left_out.add(place, f"{', '.join(missing)} must not be empty")
            return None
        if not _LOCAL_ID.fullmatch(str(cells["id"])):
            left_out.add(place, f"id {cells['id']!r} must be of A-Z a-z 0-9 _ . -")
            return None
        return Entity(
            id=urn(self._table.id, f"{kind}:{cells['id']}"),
            type=kind,
            name=Name(str(cells["name_en"]), str(cells["name_ja"])),
            position=self._position(row),
            geometry=row.geometry,
            attributes=self._attributes(kind, row),
        )

    def _position(self, row: Row) -> Position | None:
        if "longitude" not in row.cells and "latitude" not in row.cells:
            return None
        try:
            position = Position(number(row.cells["longitude"]), number(row.cells["latitude"]))
        except KeyError:
            self._faults.add(row.place, "longitude and latitude belong together")
        except ValueError as error:
            self._faults.add(row.place, f"position: {error}")
        else:
            if on_earth(position.longitude, position.latitude):
                return position
            self._faults.add(row.place, "position: not degrees of longitude and latitude")
        return None

    def _attributes(self, kind: str, row: Row) -> Mapping[str, Any]:
        attributes: dict[str, Any] = {}
        for name, cell in row.cells.items():
            if name in _FRAME:
                continue
            try:
                key, value = attribute(name, cell)
            except ValueError as error:
                self._faults.add(row.place, f"{name}: {error}")
                continue
            if name in REFERENCES:
                value = urn(self._table.id, value)
                self._references.append((row.place, name, value))
            if key == "rainfall_levels_mm":
                for measure, levels in value.items():
                    attributes.setdefault(key, {}).setdefault(measure, {}).update(levels)
            else:
                attributes[key] = value
        self._check(kind, attributes, row.place)
        if kind in {"Municipality", "Area"}:
            attributes.setdefault("municipality_code", self._table.municipality_code)
        if kind == "Municipality":
            attributes["jma_area_codes"] = list(self._table.jma_area_codes)
            attributes["jma_tsunami_area_codes"] = list(self._table.jma_tsunami_area_codes)
        return attributes

    def _check(self, kind: str, attributes: Mapping[str, Any], place: str) -> None:
        levels = [(name, attributes[name]) for name in _LEVELS if name in attributes]
        for (lower, below), (higher, above) in pairwise(levels):
            if below >= above:
                self._faults.add(place, f"{lower} {below:g} is not below {higher} {above:g}")
        if kind == "EvacuationSite" and not attributes.get("hazards"):
            self._faults.add(place, "hazards: an evacuation site is designated for at least one")


def _devices(path: Path, tenant: str, entities: _Entities, faults: Faults) -> Iterator[Device]:
    if not path.is_file():
        faults.add(path.name, "the file is missing")
        return
    seen: set[tuple[str, str]] = set()
    for row in csv_rows(path, faults, columns=_DEVICE_COLUMNS):
        cells = row.cells
        missing = [name for name in ("vendor", "id", "adapter", "entity") if name not in cells]
        if missing:
            faults.add(row.place, f"{', '.join(missing)} must not be empty")
            continue
        if (cells["vendor"], cells["id"]) in seen:
            faults.add(row.place, "this device of this vendor is there already")
        seen.add((cells["vendor"], cells["id"]))
        try:
            names = {
                name: urn(tenant, entity)
                for name, entity in _object(cells, "entities", strings=True).items()
            }
            device = Device(
                vendor=cells["vendor"],
                id=cells["id"],
                adapter=cells["adapter"],
                entity=urn(tenant, cells["entity"]),
                entities=names,
                settings=_object(cells, "settings"),
                enabled=_yes_or_no(cells.get("enabled", "yes")),
            )
        except (InvalidRequest, ValueError) as error:
            faults.add(row.place, str(error))
            continue
        for entity in dict.fromkeys((device.entity, *device.entities.values())):
            entities.require(entity, row.place, f"entity: no entity {entity} in this folder")
        yield device


def _object(cells: Mapping[str, Any], column: str, *, strings: bool = False) -> dict[str, Any]:
    try:
        value = json.loads(cells.get(column, "{}"))
    except (json.JSONDecodeError, RecursionError):
        value = None
    if not isinstance(value, dict) or (
        strings and not all(isinstance(entry, str) for entry in value.values())
    ):
        message = f"{column}: must be a JSON object such as {{}}"
        raise ValueError(message)
    return value


def _yes_or_no(cell: str) -> bool:
    if cell not in {"yes", "no"}:
        message = f"enabled: {cell!r} is neither yes nor no"
        raise ValueError(message)
    return cell == "yes"


def _check_scenario(scenario: Scenario, tenant: str, entities: _Entities) -> None:
    for kind, names in (
        ("WaterLevelGauge", scenario.rivers),
        ("Building", scenario.buildings),
    ):
        for name in names:
            fault = f"there is no {kind} {name!r} in entities/"
            entities.require(urn(tenant, f"{kind}:{name}"), "simulation.toml", fault)


def _toml(path: Path, kind: type[T], faults: Faults, *, required: bool) -> T | None:
    if not path.is_file():
        if required:
            faults.add(path.name, f"the file is missing in {path.parent}")
        return None
    try:
        return msgspec.convert(tomllib.loads(path.read_bytes().decode("utf-8-sig")), type=kind)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.add(path.name, f"not TOML: {error}")
    except msgspec.ValidationError as error:
        faults.add(path.name, str(error))
    return None
