"""SenML units as UCUM codes.

Sources: the IANA registries "SenML Units" (RFC 8428, section 12.1, and RFC 8798, section 2) and
"Secondary Units" (RFC 8798, section 3). UCUM codes: https://ucum.org/ucum, version 2.1. A unit
that UCUM has no code for is left out, and so refused.
"""

from __future__ import annotations

from typing import Final

LONGITUDE: Final = "lon"
LATITUDE: Final = "lat"

_PRIMARY: Final = {
    "m": "m",
    "kg": "kg",
    "g": "g",
    "s": "s",
    "A": "A",
    "K": "K",
    "cd": "cd",
    "mol": "mol",
    "Hz": "Hz",
    "rad": "rad",
    "sr": "sr",
    "N": "N",
    "Pa": "Pa",
    "J": "J",
    "W": "W",
    "C": "C",
    "V": "V",
    "F": "F",
    "Ohm": "Ohm",
    "S": "S",
    "Wb": "Wb",
    "T": "T",
    "H": "H",
    "Cel": "Cel",
    "lm": "lm",
    "lx": "lx",
    "Bq": "Bq",
    "Gy": "Gy",
    "Sv": "Sv",
    "kat": "kat",
    "m2": "m2",
    "m3": "m3",
    "l": "l",
    "m/s": "m/s",
    "m/s2": "m/s2",
    "m3/s": "m3/s",
    "l/s": "l/s",
    "W/m2": "W/m2",
    "cd/m2": "cd/m2",
    "bit": "bit",
    "bit/s": "bit/s",
    LATITUDE: "deg",
    LONGITUDE: "deg",
    "pH": "[pH]",
    "dB": "dB",
    "dBW": "dB[W]",
    "Bspl": "B[SPL]",
    "count": "{count}",
    "/": "1",
    "%": "1",  # note 1 of the registry: in spite of its name no percentage, but the ratio itself
    "%RH": "%",
    "%EL": "%",
    "EL": "s",
    "1/s": "/s",
    "1/min": "/min",
    "beat/min": "/min",
    "beats": "{count}",
    "S/m": "S/m",
    "B": "By",
    "VA": "V.A",
    "VAs": "V.A.s",
    "J/m": "J/m",
    "kg/m3": "kg/m3",
    "deg": "deg",
}

_SECONDARY: Final = {
    "ms": "ms",
    "min": "min",
    "h": "h",
    "MHz": "MHz",
    "kW": "kW",
    "kVA": "kV.A",
    "Ah": "A.h",
    "Wh": "W.h",
    "kWh": "kW.h",
    "kVAh": "kV.A.h",
    "Wh/km": "W.h/km",
    "KiB": "KiBy",
    "GB": "GBy",
    "Mbit/s": "Mbit/s",
    "B/s": "By/s",
    "MB/s": "MBy/s",
    "mV": "mV",
    "mA": "mA",
    "dBm": "dB[mW]",
    "ug/m3": "ug/m3",
    "mm/h": "mm/h",
    "m/h": "m/h",
    "ppm": "[ppm]",
    "/100": "%",
    "/1000": "[ppth]",
    "hPa": "hPa",
    "mm": "mm",
    "cm": "cm",
    "km": "km",
    "km/h": "km/h",
}

UCUM: Final = {**_PRIMARY, **_SECONDARY}

SUMS: Final = {"W": ("J", 1.0), "kW": ("J", 1000.0)}
"""Unit of a sum, which is the record's unit times seconds (RFC 8428, 4.2): UCUM code and factor.

Only energy: no other integral over time is an observed property of a city yet.
"""
