"""A small town for the tests of the first page: what is registered in it, and its river."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cityos.clock import SystemClock
from cityos.domain.entity import Device, Entity, Name, Tenant
from cityos.domain.observation import Position
from tests.city_processes import City, Vendor

TENANT = "kawabe"
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
TOWN = Tenant(
    id=TENANT,
    name=Name("Kawabe", "川辺町"),
    attributes={
        "alert_sender": "kawabe.example.jp",
        "sources": [{"title": "Test facts", "publisher": "川辺町", "licence": "CC0"}],
    },
)
LEVELS = {
    "standby_level_m": 1.0,
    "caution_level_m": 1.5,
    "evacuation_level_m": 2.0,
    "danger_level_m": 2.5,
    "overflow_level_m": 3.0,
}


def urn(kind: str, local: str) -> str:
    return f"urn:ngsi-ld:{kind}:{TENANT}:{local}"


def square(longitude: float, latitude: float, half: float) -> dict[str, Any]:
    west, east = longitude - half, longitude + half
    south, north = latitude - half, latitude + half
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def gauge(local: str, en: str, ja: str, at: tuple[float, float], area: str) -> Entity:
    return Entity(
        id=urn("WaterLevelGauge", local),
        type="WaterLevelGauge",
        name=Name(en, ja),
        position=Position(*at),
        attributes={**LEVELS, "area": urn("Area", area), "river_en": "Kawa", "river_ja": "川"},
    )


def area(local: str, en: str, ja: str, at: tuple[float, float]) -> Entity:
    return Entity(
        id=urn("Area", local), type="Area", name=Name(en, ja), geometry=square(*at, 0.012)
    )


def site(local: str, name: Name, *hazards: str) -> Entity:
    return Entity(
        id=urn("EvacuationSite", local),
        type="EvacuationSite",
        name=name,
        position=Position(138.31, 34.86),
        attributes={"hazards": list(hazards), "address_ja": "川辺町1-1"},
    )


ENTITIES = [
    Entity(
        id=urn("Municipality", "1"),
        type="Municipality",
        name=Name("Kawabe Town", "川辺町"),
        geometry=square(138.30, 34.85, 0.05),
        attributes={"municipality_code": "99999", "jma_area_codes": []},
    ),
    area("north", "North district", "北地区", (138.29, 34.87)),
    area("south", "South district", "南地区", (138.31, 34.83)),
    area("east", "East district", "東地区", (138.33, 34.85)),
    gauge("upper", "Upper Bridge", "上橋", (138.28, 34.87), "north"),
    gauge("lower", "Lower Bridge", "下橋", (138.31, 34.83), "south"),
    gauge("drill", "Drill Bridge", "訓練橋", (138.33, 34.85), "east"),
    gauge("quiet", HOSTILE, HOSTILE, (138.27, 34.82), "north"),
    site("hill", Name("Hill park", "丘公園"), "flood", "tsunami"),
    site("hall", Name("Town hall", "役場"), "earthquake"),
    Entity(
        id=urn("Building", "office"),
        type="Building",
        name=Name("Town office", "町役場"),
        position=Position(138.30, 34.85),
    ),
]
DEVICES = [
    Device(vendor="demo", id=local, adapter="cityos_json", entity=urn(kind, local))
    for kind, local in (
        ("WaterLevelGauge", "upper"),
        ("WaterLevelGauge", "lower"),
        ("WaterLevelGauge", "drill"),
        ("WaterLevelGauge", "quiet"),
        ("Building", "office"),
    )
]


def order(number: int, level: int, status: str) -> dict[str, Any]:
    """An order in force as the API gives it, for an area of its own."""
    english, japanese = {
        3: ("Elderly people and others who need time: evacuate.", "高齢者等は避難してください。"),
        4: ("Everyone: evacuate now.", "危険な場所にいる人は、全員避難してください。"),
    }[level]
    info = {
        "event": {"en": "Flood", "ja": "洪水"},
        "hazard": "flood",
        "level": level,
        "headline": {"en": "Headline", "ja": "見出し"},
        "description": {"en": "The water has risen. " * 5, "ja": "水位が上昇しています。" * 5},
        "instruction": {"en": english, "ja": japanese},
        "areas": [{"name": {"en": f"District {number}", "ja": f"第{number}地区"}, "polygons": []}],
        "parameters": {"situation": f"flood/{number}"},
    }
    return {
        "identifier": f"urn:test:{status}:{number}",
        "status": status,
        "sender": "kawabe.example.jp",
        "sender_name": {"en": "Kawabe", "ja": "川辺町"},
        "sent": "2026-09-01T00:00:00Z",
        "level": level,
        "infos": [info],
    }


ORDERS = [(1, 4), (2, 4), (3, 4), (4, 3), (5, 3)]


@dataclass
class Town:
    """The running city, who publishes in it, and an official's key."""

    city: City
    vendor: Vendor
    rehearsal: Vendor
    key: str

    def measure(
        self,
        device: str,
        *values: float,
        name: str = "water_level",
        exercise: str = "",
        minutes_ago: float = 0,
    ) -> None:
        """Publish values ten minutes apart; the last one is of now, or of some minutes ago."""
        now = SystemClock().now() - timedelta(minutes=minutes_ago)
        readings = [
            {
                "property": name,
                "value": value,
                "time": stamp(now - timedelta(minutes=10 * (len(values) - 1 - number))),
            }
            for number, value in enumerate(values)
        ]
        topic = f"cityos/v1/{TENANT}/demo/{device}/observations"
        payload = json.dumps(readings).encode()
        if exercise:
            self.rehearsal.publish(f"{topic}/exercise/{exercise}", payload)
        else:
            self.vendor.publish(topic, payload)


def stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
