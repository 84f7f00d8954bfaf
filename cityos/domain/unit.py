"""Units of measurement, by their UCUM codes, and conversion between those of one dimension.

The table is closed and static: loading a units registry costs most of a second at start, and a
unit that nobody planned for should be refused with a clear message rather than guessed.
Factors are exact by definition (SI Brochure, 9th edition) unless a comment says otherwise.
UCUM: https://ucum.org/ucum, version 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cityos.errors import Rejected


@dataclass(frozen=True, slots=True)
class Unit:
    """A UCUM code and its map to the dimension's base: ``base = value * factor + offset``."""

    code: str
    dimension: str
    factor: float = 1.0
    offset: float = 0.0


_UNITS: Final = (
    Unit("m", "length"),
    Unit("cm", "length", 0.01),
    Unit("mm", "length", 0.001),
    Unit("km", "length", 1000.0),
    Unit("[ft_i]", "length", 0.3048),
    Unit("[in_i]", "length", 0.0254),
    Unit("Cel", "temperature"),
    Unit("K", "temperature", 1.0, -273.15),
    Unit("[degF]", "temperature", 5.0 / 9.0, -160.0 / 9.0),
    Unit("%", "fraction"),
    Unit("1", "fraction", 100.0),
    Unit("Pa", "pressure"),
    Unit("hPa", "pressure", 100.0),
    Unit("kPa", "pressure", 1000.0),
    Unit("mbar", "pressure", 100.0),
    Unit("m/s", "speed"),
    Unit("km/h", "speed", 1.0 / 3.6),
    Unit("[kn_i]", "speed", 1852.0 / 3600.0),
    Unit("mm/h", "rainfall_rate"),
    Unit("deg", "angle"),
    Unit("m3/s", "flow"),
    Unit("W", "power"),
    Unit("kW", "power", 1e3),
    Unit("MW", "power", 1e6),
    Unit("kW.h", "energy"),
    Unit("W.h", "energy", 1e-3),
    Unit("MW.h", "energy", 1e3),
    Unit("J", "energy", 1.0 / 3.6e6),
    Unit("V", "voltage"),
    Unit("mV", "voltage", 1e-3),
    Unit("kV", "voltage", 1e3),
    Unit("A", "current"),
    Unit("mA", "current", 1e-3),
    Unit("Hz", "frequency"),
    Unit("ug/m3", "mass_concentration"),
    Unit("mg/m3", "mass_concentration", 1e3),
    Unit("[ppm]", "amount_fraction"),
    Unit("lx", "illuminance"),
    Unit("dB", "level"),
    Unit("{count}", "count"),
    Unit("s", "time"),
    Unit("min", "time", 60.0),
    Unit("h", "time", 3600.0),
    Unit("[JMA_intensity]", "seismic_intensity"),  # no UCUM code exists for JMA's 0-7 scale
)

UNITS: Final = {unit.code: unit for unit in _UNITS}


def convert(value: float, source: str, target: str) -> float:
    """Return ``value``, given in the UCUM code ``source``, in the UCUM code ``target``.

    Raises:
        Rejected: ``source`` is not in the table, or measures another dimension.
    """
    if source == target:
        return value
    given, wanted = UNITS.get(source), UNITS[target]
    if given is None:
        raise Rejected(
            "unknown_unit",
            f"unit {source!r} is none of the UCUM codes that are read here",
            hint=f"send {target!r}, or one of {', '.join(_alternatives(wanted))}",
        )
    if given.dimension != wanted.dimension:
        raise Rejected(
            "unit_not_convertible",
            f"unit {source!r} measures {given.dimension}, {target!r} measures {wanted.dimension}",
            hint=f"send {target!r}, or one of {', '.join(_alternatives(wanted))}",
        )
    base = value * given.factor + given.offset
    return (base - wanted.offset) / wanted.factor


def _alternatives(wanted: Unit) -> list[str]:
    return [unit.code for unit in _UNITS if unit.dimension == wanted.dimension]
