"""The closed list of what can be observed: name, unit, plausible range, definition.

A reading of a property that is not listed is refused, so that a value's meaning and unit never
live in somebody's head. Ranges are physical plausibility (what a working sensor can see on
Earth), not alarm thresholds. ``definition`` is a URI that outside systems know.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_CF = "http://vocab.nerc.ac.uk/standard_name/"
_QUDT = "http://qudt.org/vocab/quantitykind/"
_SDM = "https://smart-data-models.github.io/dataModel."


class ValueKind(StrEnum):
    """What a value of the property is."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    POSITION = "position"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class ObservedProperty:
    """A property that series can hold. ``minimum`` and ``maximum`` are in ``unit`` (UCUM)."""

    name: str
    unit: str
    minimum: float
    maximum: float
    definition: str
    label_en: str
    label_ja: str
    kind: ValueKind = ValueKind.NUMBER
    cumulative: bool = False


def _number(
    name: str, unit: str, low: float, high: float, uri: str, en: str, ja: str
) -> ObservedProperty:
    return ObservedProperty(name, unit, low, high, uri, en, ja)


def _register(name: str, unit: str, high: float, uri: str, en: str, ja: str) -> ObservedProperty:
    return ObservedProperty(name, unit, 0.0, high, uri, en, ja, cumulative=True)


def _other(name: str, kind: ValueKind, uri: str, en: str, ja: str) -> ObservedProperty:
    return ObservedProperty(name, "1", 0.0, 0.0, uri, en, ja, kind=kind)


_PROPERTIES: Final = (
    # water
    _number(
        "water_level",
        "m",
        -20,
        100,
        _CF + "water_surface_height_above_reference_datum/",
        "Water level",
        "水位",
    ),
    _number(
        "discharge",
        "m3/s",
        0,
        100_000,
        _CF + "water_volume_transport_in_river_channel/",
        "River discharge",
        "流量",
    ),
    _number(
        "tsunami_height",
        "m",
        -5,
        60,
        _CF + "tsunami_sea_surface_height_amplitude/",
        "Tsunami height",
        "津波の高さ",
    ),
    # weather
    _number(
        "precipitation_10min",
        "mm",
        0,
        150,
        _CF + "thickness_of_rainfall_amount/",
        "Rainfall in 10 minutes",
        "10分雨量",
    ),
    _number(
        "precipitation_1h",
        "mm",
        0,
        500,
        _CF + "thickness_of_rainfall_amount/",
        "Rainfall in one hour",
        "1時間雨量",
    ),
    _number(
        "precipitation_24h",
        "mm",
        0,
        2500,
        _CF + "thickness_of_rainfall_amount/",
        "Rainfall in 24 hours",
        "24時間雨量",
    ),
    _number("rainfall_rate", "mm/h", 0, 1000, _CF + "rainfall_rate/", "Rainfall rate", "降雨強度"),
    _number(
        "air_temperature", "Cel", -60, 60, _CF + "air_temperature/", "Air temperature", "気温"
    ),
    _number(
        "relative_humidity",
        "%",
        0,
        100,
        _CF + "relative_humidity/",
        "Relative humidity",
        "相対湿度",
    ),
    _number(
        "atmospheric_pressure",
        "hPa",
        800,
        1100,
        _CF + "air_pressure/",
        "Atmospheric pressure",
        "気圧",
    ),
    _number("wind_speed", "m/s", 0, 120, _CF + "wind_speed/", "Wind speed", "風速"),
    _number(
        "wind_direction", "deg", 0, 360, _CF + "wind_from_direction/", "Wind direction", "風向"
    ),
    _number("snow_depth", "cm", 0, 1500, _CF + "surface_snow_thickness/", "Snow depth", "積雪深"),
    _number("illuminance", "lx", 0, 200_000, _QUDT + "Illuminance", "Illuminance", "照度"),
    # air quality
    _number(
        "co2",
        "[ppm]",
        0,
        100_000,
        _CF + "mole_fraction_of_carbon_dioxide_in_air/",
        "Carbon dioxide",
        "二酸化炭素濃度",
    ),
    _number(
        "pm2_5",
        "ug/m3",
        0,
        5000,
        _CF + "mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air/",
        "PM2.5",
        "PM2.5",
    ),
    _number("sound_level", "dB", 0, 200, _QUDT + "SoundPressureLevel", "Sound level", "騒音"),
    # earthquake
    _number(
        "seismic_intensity",
        "[JMA_intensity]",
        -3,
        8,
        "https://www.jma.go.jp/jma/en/Activities/inttable.html",
        "JMA seismic intensity",
        "計測震度",
    ),
    # mobility
    _other("position", ValueKind.POSITION, "http://www.w3.org/ns/sosa/Sample", "Position", "位置"),
    _number("speed", "km/h", 0, 500, _QUDT + "Speed", "Speed", "速度"),
    _number("heading", "deg", 0, 360, _QUDT + "Angle", "Heading", "進行方向"),
    _number("occupancy", "%", 0, 100, _SDM + "Transportation/", "Occupancy", "混雑率"),
    _number(
        "vehicle_count",
        "{count}",
        0,
        1_000_000,
        _SDM + "Transportation/",
        "Vehicles counted",
        "車両数",
    ),
    _number(
        "person_count", "{count}", 0, 1_000_000, _SDM + "Transportation/", "People counted", "人数"
    ),
    _number(
        "free_spaces",
        "{count}",
        0,
        100_000,
        _SDM + "Parking/",
        "Free parking spaces",
        "空き駐車台数",
    ),
    # energy
    _number("active_power", "W", -1e10, 1e10, _QUDT + "ActivePower", "Active power", "有効電力"),
    _register(
        "active_energy_import",
        "kW.h",
        1e12,
        _QUDT + "ElectricEnergy",
        "Energy drawn, meter register",
        "積算電力量（買電）",
    ),
    _register(
        "active_energy_export",
        "kW.h",
        1e12,
        _QUDT + "ElectricEnergy",
        "Energy fed in, meter register",
        "積算電力量（売電）",
    ),
    _number("voltage", "V", -1e6, 1e6, _QUDT + "Voltage", "Voltage", "電圧"),
    _number("current", "A", -1e6, 1e6, _QUDT + "ElectricCurrent", "Current", "電流"),
    _number("grid_frequency", "Hz", 40, 70, _QUDT + "Frequency", "Grid frequency", "系統周波数"),
    # the device itself
    _number("battery_level", "%", 0, 100, _SDM + "Device/", "Battery level", "電池残量"),
    _number("battery_voltage", "V", 0, 1000, _SDM + "Device/", "Battery voltage", "電池電圧"),
    _other("open", ValueKind.BOOLEAN, _SDM + "Device/", "Open", "開閉"),
    _other("status_text", ValueKind.TEXT, _SDM + "Device/", "Status", "状態"),
)

PROPERTIES: Final = {prop.name: prop for prop in _PROPERTIES}
