"""The simulated day: the same for the same seed, plausible, and with a story to tell."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest

from adapters.cityos_json.decoder import CityOSJSON
from adapters.senml.decoder import SenML
from cityos.domain.entity import Entity, Name
from cityos.domain.observation import Position
from cityos.domain.observed_property import PROPERTIES
from cityos.domain.unit import convert
from cityos.plugins.contract import Receipt
from cityos.rehearsal import city_files
from cityos.rehearsal.city_files import City
from cityos.rehearsal.payloads import Value, senml
from cityos.rehearsal.power import BuildingLoad
from cityos.rehearsal.rivers import Reservoir, River
from cityos.rehearsal.scenario import RiverTable, StormTable
from cityos.rehearsal.simulation import Emission, simulate
from cityos.rehearsal.traffic import Line, distance_m, line_of
from cityos.rehearsal.weather import RainRecord, Storm

START = datetime(2026, 9, 1, 3, tzinfo=UTC)
TOWN = Position(138.3, 34.85)
DEMO = Path(__file__).parents[2] / "deploy" / "demo" / "yaizu"
GAUGE = Entity(
    id="urn:ngsi-ld:WaterLevelGauge:town:bridge",
    type="WaterLevelGauge",
    name=Name("Bridge", "橋"),
    position=TOWN,
    attributes={"standby_level_m": 1.0, "danger_level_m": 3.0},
)


@pytest.fixture(scope="module")
def city() -> City:
    return city_files.load(DEMO)


@pytest.fixture(scope="module")
def storm() -> Storm:
    return Storm(StormTable(), TOWN, seed=7)


def first(
    city: City, length: timedelta, *, pace: float, seed: int | None = None
) -> list[Emission]:
    emissions = simulate(city, start=START, pace=pace, seed=seed)
    return list(takewhile(lambda emission: emission.time < START + length, emissions))


def series(emissions: Sequence[Emission], vendor: str, device: str) -> list[dict[str, Any]]:
    """The values of each message of a device, by property, with its time."""
    return [
        {item["property"]: item["value"] for item in json.loads(emission.payload)}
        | {"time": emission.time}
        for emission in emissions
        if (emission.device.vendor, emission.device.id) == (vendor, device)
    ]


# --- the same for the same seed -----------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(city: City) -> None:
    one, other = (first(city, timedelta(minutes=3), pace=120) for _ in range(2))

    assert one == other
    assert len(one) > 500


def test_another_seed_gives_another_day(city: City) -> None:
    one = first(city, timedelta(minutes=1), pace=120)
    other = first(city, timedelta(minutes=1), pace=120, seed=5)

    assert [e.time for e in one] == [e.time for e in other]
    assert [e.payload for e in one] != [e.payload for e in other]


def test_messages_come_in_the_order_of_time_from_every_device_that_can_speak(city: City) -> None:
    emissions = first(city, timedelta(minutes=2), pace=120)
    speaking = {(e.device.vendor, e.device.id) for e in emissions}
    able = {(d.vendor, d.id) for d in city.devices if d.adapter != "jma_xml"}

    assert speaking == able
    assert all(a.time <= b.time for a, b in pairwise(emissions))
    assert all(emission.time.tzinfo is UTC for emission in emissions)


# --- plausible ----------------------------------------------------------------------------------


def test_every_value_is_in_the_range_of_its_property(city: City) -> None:
    for emission in islice(simulate(city, start=START, pace=600), 20_000):
        for item in json.loads(emission.payload):
            name = item["property"] if "property" in item else item["n"]
            value = item.get("value", item.get("v"))
            prop = PROPERTIES[name]
            if name == "position":
                assert 138 < value["longitude"] < 139
                assert 34 < value["latitude"] < 36
            else:
                assert prop.minimum <= value <= prop.maximum
                assert item.get("unit", item.get("u")) == prop.unit


def test_every_message_is_one_that_its_adapter_reads(city: City) -> None:
    adapters = {"cityos_json": CityOSJSON(), "senml": SenML()}
    read = set()
    for emission in first(city, timedelta(seconds=45), pace=120):
        receipt = Receipt(source="t", device=emission.device.id, received_at=emission.time)
        for said in adapters[emission.device.adapter].decode(emission.payload, receipt):
            assert said.observed_at == emission.time
            assert said.entity is None
            read.add((emission.device.adapter, said.observed_property))

    assert {("senml", "water_level"), ("cityos_json", "water_level")} < read
    assert ("cityos_json", "position") in read


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [("occupancy", 42.0, "%"), ("active_energy_import", 12.5, "kW.h"), ("speed", 28.0, "km/h")],
)
def test_a_value_keeps_its_meaning_in_senml(name: str, value: float, unit: str) -> None:
    payload = senml([Value(name, value, unit)], START)
    (said,) = SenML().decode(payload, Receipt(source="t", device="d", received_at=START))

    assert convert(said.value, said.unit, PROPERTIES[name].unit) == value


@pytest.mark.parametrize("storage_h", [0.2, 2.0, 12.0])
def test_a_reservoir_neither_makes_nor_loses_water(storage_h: float) -> None:
    reservoir = Reservoir(storage_h)
    inflows = [5000.0 * (1 + math.sin(step / 7)) for step in range(200)]
    outflow = sum(reservoir.pass_on(inflow, 0.1) for inflow in inflows)

    assert sum(inflows) == pytest.approx(outflow + reservoir.stored_m3, rel=1e-12)


def test_a_reservoir_settles_where_outflow_equals_inflow() -> None:
    reservoir = Reservoir(2.0)
    for _ in range(1000):
        outflow = reservoir.pass_on(360.0, 0.1)

    assert outflow == pytest.approx(360.0)
    assert reservoir.stored_m3 == pytest.approx(3600.0 * 2.0)


def test_a_river_carries_away_the_rain_of_its_catchment(storm: Storm) -> None:
    table = RiverTable(catchment_km2=50.0, storage_h=3.0, lag_h=1.0, runoff=0.6)
    river = River(GAUGE, table, storm, TOWN)
    river.open_at(0.0)
    for hour in range(1, 25):
        river.advance(float(hour))
    rain_m3 = 2 * RainRecord(storm, TOWN).day_mm / 1000.0 * 50.0e6  # the day before, and this one

    assert river.inflow_m3 == pytest.approx(0.6 * rain_m3, rel=1e-9)
    assert river.inflow_m3 == pytest.approx(river.outflow_m3 + river.stored_m3, rel=1e-12)


def test_a_river_peaks_after_the_rain_and_later_when_it_lags(storm: Storm) -> None:
    def peak_h(lag_h: float) -> float:
        river = River(GAUGE, RiverTable(lag_h=lag_h), storm, TOWN)
        river.open_at(0.0)
        levels = {}
        for step in range(240):
            river.advance(step / 10)
            levels[step / 10] = river.level_m
        return max(levels, key=lambda hour: levels[hour])

    assert peak_h(1.5) - peak_h(0.0) == pytest.approx(1.5, abs=0.11)


def test_the_filling_rain_fills_the_river_to_its_danger_level() -> None:
    even = StormTable(
        bands=1, band_width_km=1e6, band_mm_per_h=1e-9, shield_mm_per_h=20.0, spread_h=1e6
    )
    table = RiverTable(filling_mm_per_h=20.0, storage_h=0.5)
    river = River(GAUGE, table, Storm(even, TOWN, 1), TOWN)
    river.open_at(0.0)

    # the base flow of 3 % comes on top
    assert river.level_m == pytest.approx(3.06, abs=0.01)


def test_rain_is_the_same_however_it_is_added_up(storm: Storm) -> None:
    record = RainRecord(storm, TOWN)
    parts = [record.depth_mm(hour / 6, (hour + 1) / 6) for hour in range(144)]

    assert all(depth >= 0 for depth in parts)
    assert sum(parts) == pytest.approx(record.day_mm)
    assert record.depth_mm(-3.0, 45.0) == pytest.approx(2 * record.day_mm)
    rates = sum(storm.rate_mm_per_h(TOWN, step / 100) / 100 for step in range(2400))
    assert record.day_mm == pytest.approx(rates, rel=0.01)


def test_a_rain_gauges_hour_is_the_sum_of_its_ten_minutes(city: City) -> None:
    said = series(first(city, timedelta(hours=30), pace=1.0), "demo", "rain-kohiji")
    ten = [values["precipitation_10min"] for values in said]

    assert len(said) == 180
    assert max(ten) > 3.0
    for number in range(5, len(said)):
        assert said[number]["precipitation_1h"] == sum(ten[number - 5 : number + 1])


def test_a_bus_is_never_faster_than_it_says_and_stays_on_its_route(city: City) -> None:
    routes = {e.id: line_points(e) for e in city.entities if e.type == "BusRoute"}
    emissions = first(city, timedelta(minutes=40), pace=120)
    for bus in (e for e in city.entities if e.type == "Bus"):
        said = series(emissions, "demo-bus", bus.id.rpartition(":")[2])
        fixes = [Position(**values["position"]) for values in said]
        assert {values["speed"] for values in said} == {0.0, 28.0}
        for (a, here), (b, there) in pairwise(zip(said, fixes, strict=True)):
            seconds = (b["time"] - a["time"]).total_seconds()
            assert distance_m(here, there) <= 28.0 / 3.6 * seconds + 1.0
        assert len({values["occupancy"] for values in said}) > 5
        points = routes[bus.attributes["route"]]
        for fix in fixes[::10]:
            assert min(off_line_m(fix, a, b) for a, b in pairwise(points)) < 2.0


def test_a_line_there_and_back_comes_home() -> None:
    line = Line([Position(138.30, 34.85), Position(138.31, 34.85)])

    assert line.fix(0.0).position == Position(138.30, 34.85)
    assert line.fix(line.round_trip_s - 1.0).position == Position(138.30, 34.85)
    assert line.fix(line.round_trip_s).share == 0.0
    farthest = max(line.fix(second).position.longitude for second in range(int(line.round_trip_s)))
    assert farthest == pytest.approx(138.31, abs=1e-4)


def test_a_loop_goes_round() -> None:
    corners = [(138.30, 34.85), (138.31, 34.85), (138.31, 34.86), (138.30, 34.85)]
    line = line_of({"type": "LineString", "coordinates": [list(corner) for corner in corners]})
    headings = {round(line.fix(second).heading_deg / 10) for second in range(0, 500, 5)}

    assert len(headings) == 3


def test_a_register_is_the_integral_of_the_power() -> None:
    load = BuildingLoad("hall", 100.0, seed=3)
    steps = [START + timedelta(seconds=10 * number) for number in range(8641)]
    power = [load.power_w(at) for at in steps]
    energy_kwh = sum((a + b) / 2 for a, b in pairwise(power)) * 10 / 3600 / 1000

    assert min(power) > 0
    assert load.register_kwh(steps[-1]) - load.register_kwh(START) == pytest.approx(energy_kwh)
    assert load.register_kwh(datetime(2025, 1, 1, tzinfo=UTC)) > 0


def test_a_meter_never_goes_back_when_the_day_is_started_again(city: City) -> None:
    before = series(first(city, timedelta(minutes=5), pace=120), "demo-power", "city-hall")
    later = START + timedelta(minutes=6)
    again = list(islice(simulate(city, start=later, pace=120), 100))
    after = series(again, "demo-power", "city-hall")
    registers = [values["active_energy_import"] for values in before + after]

    assert all(a <= b for a, b in pairwise(registers))
    assert registers[0] < registers[-1]


# --- the story ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [60.0, 120.0])
def test_a_newcomer_sees_a_river_call_for_evacuation_within_two_minutes(
    city: City, pace: float
) -> None:
    emissions = first(city, timedelta(minutes=4), pace=pace)
    crossings = []
    for gauge in (e for e in city.entities if e.type == "WaterLevelGauge"):
        said = series(emissions, "demo", gauge.id.rpartition(":")[2]) if is_json(gauge) else []
        high = [v for v in said if v["water_level"] >= gauge.attributes["evacuation_level_m"]]
        crossings += [high[0]["time"] - START] if high else []

    assert timedelta(seconds=15) < min(crossings) < timedelta(seconds=120)


def test_rivers_rise_through_every_level_and_fall_again(city: City) -> None:
    emissions = first(city, timedelta(minutes=12), pace=120)
    peaks: dict[str, str] = {}
    for gauge in (e for e in city.entities if e.type == "WaterLevelGauge" and is_json(e)):
        local = gauge.id.rpartition(":")[2]
        levels = [values["water_level"] for values in series(emissions, "demo", local)]
        passed = [
            name
            for name in ("standby", "caution", "evacuation", "danger", "overflow")
            if max(levels) >= gauge.attributes[f"{name}_level_m"]
        ]
        peaks[local] = passed[-1] if passed else "none"
        assert levels[0] < gauge.attributes["standby_level_m"]
        assert levels[-1] < gauge.attributes["standby_level_m"]

    assert {"danger", "evacuation", "none"} <= set(peaks.values())
    assert "overflow" not in peaks.values()


def test_the_storm_comes_back(city: City) -> None:
    emissions = first(city, timedelta(minutes=24), pace=120)
    levels = [values["water_level"] for values in series(emissions, "demo", "kuroishi")]
    half = len(levels) // 2

    assert max(levels[:half]) == pytest.approx(max(levels[half:]), abs=0.02)


def is_json(gauge: Entity) -> bool:
    return not gauge.id.endswith(":asahina-yokouchi")  # that one speaks SenML


def line_points(route: Entity) -> list[Position]:
    assert route.geometry is not None
    return [Position(*point) for point in route.geometry["coordinates"]]


def off_line_m(point: Position, a: Position, b: Position) -> float:
    """How far the point is from the straight line from a to b."""
    along = distance_m(a, b)
    if not along:
        return distance_m(point, a)
    east = math.cos(math.radians(a.latitude))
    ax, ay = (b.longitude - a.longitude) * east, b.latitude - a.latitude
    px, py = (point.longitude - a.longitude) * east, point.latitude - a.latitude
    share = max(0.0, min(1.0, (ax * px + ay * py) / (ax * ax + ay * ay)))
    nearest = Position(
        a.longitude + (b.longitude - a.longitude) * share,
        a.latitude + (b.latitude - a.latitude) * share,
    )
    return distance_m(point, nearest)
