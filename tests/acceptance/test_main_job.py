"""The main job, as a town and its neighbours see it from outside.

Real processes, a real broker and a real store; in by MQTT and out by the API, the Atom feed and
the retained topics. The recorded days are real: river levels of Fukui Prefecture (Code for FUKUI,
github.com/code4fukui/waterlevel_fukui) and telegrams of the Japan Meteorological Agency. What has
to come out is worked out here from those files by plain reading, not by the city's own code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from cityos.domain import topic
from cityos.domain.entity import Device, Entity, Name, Tenant
from cityos.domain.observation import Position
from cityos.domain.occasion import Actual, Exercise
from cityos.runtime.broker import MqttBroker
from tests.alert_readers import (
    CAP,
    alert_levels,
    canonical,
    chain_on_the_feed,
    check_references,
    message_type,
    retained,
)
from tests.city_processes import City, Vendor, live, until, vendor
from tests.recorded_days import Rise, named, parts_of, rises_of, sent, stamp

SHARED = Path(__file__).parents[3] / "shared" / "data"
LEVELS = SHARED / "sensors" / "water"
TELEGRAMS = SHARED / "jma-xml" / "samples"
SCHEMA = SHARED / "cap" / "schema" / "CAP-v1.2-schema.xsd"
FLOOD = "fukui_2024-06-23.csv"

TENANT = "minami"
SERVICE = "evacuation_alert"
TOWN = Tenant(
    id=TENANT,
    name=Name("Minami", "みなみ町"),
    attributes={"alert_sender": "minami.example.jp", "municipality_code": "99999"},
)
MUNICIPALITY = f"urn:ngsi-ld:Municipality:{TENANT}:1"
GAUGE = Entity(
    id=f"urn:ngsi-ld:WaterLevelGauge:{TENANT}:bridge",
    type="WaterLevelGauge",
    name=Name("Bridge", "橋"),
    position=Position(136.2, 36.0),
    attributes={
        "standby_level_m": 1.0,
        "caution_level_m": 1.5,
        "evacuation_level_m": 2.0,
        "danger_level_m": 2.5,
    },
)
LOGGER = Device(vendor="acme", id="logger", adapter="cityos_json", entity=GAUGE.id)
OBSERVATIONS = f"cityos/v1/{TENANT}/acme/logger/observations"


def municipality(*codes: str) -> Entity:
    return Entity(
        id=MUNICIPALITY,
        type="Municipality",
        name=Name("Minami", "みなみ町"),
        attributes={"municipality_code": "99999", "jma_area_codes": list(codes)},
    )


@pytest.fixture
def city(
    tmp_path: Path,
    database_url: str,
    redis_url: str,
    start_own_broker: Callable[..., MqttBroker],
    free_port: int,
) -> Iterator[City]:
    """A running city with one town, which is no practice city."""
    running = City(tmp_path, TENANT, database_url, redis_url, start_own_broker(), free_port)
    running.register(TOWN, [municipality("9999900"), GAUGE], [LOGGER])
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def official(city: City) -> dict[str, str]:
    return city.key("official")


@pytest.fixture(scope="module")
def cap_schema() -> etree.XMLSchema:
    if not SCHEMA.is_file():
        pytest.skip(f"the schema of CAP 1.2 is not at {SCHEMA}")
    return etree.XMLSchema(etree.parse(str(SCHEMA)))


# --- a recorded flood ---------------------------------------------------------------------------


def test_a_recorded_flood_proposes_the_right_orders_at_the_right_times(
    city: City, official: dict[str, str], cap_schema: etree.XMLSchema, tmp_path: Path
) -> None:
    if not (LEVELS / FLOOD).is_file():
        pytest.skip(f"the river levels of Fukui are not at {LEVELS}")
    truth = rises_of(LEVELS / FLOOD)
    assert len(truth) == 6
    assert {level for _, level, _ in truth} == {3, 4}
    until_16_30, until_18_00, rest = parts_of(LEVELS / FLOOD, tmp_path, "16:30", "18:00")

    replay(city, until_16_30)
    first = pending(city, official, "90", 3)
    approve(city, official, first)
    replay(city, until_18_00)
    second = pending(city, official, "90", 4)
    approve(city, official, second)
    replay(city, rest)
    last = pending(city, official, "90", 0)
    approve(city, official, last)

    # levels 3 and 4 at the right gauges and times, and nowhere else
    assert rises_in(proposals(city, official)) == truth
    assert {proposal["status"] for proposal in proposals(city, official)} == {"Exercise"}
    assert {proposal["run"] for proposal in proposals(city, official)} == {"typhoon"}
    # the chain, as another system reads it
    chain = chain_on_the_feed(city, "Exercise", cap_schema)
    assert [message_type(alert) for alert in chain] == ["Alert", "Update", "Cancel"]
    check_references(chain)
    assert {alert.findtext(f"{CAP}status") for alert in chain} == {"Exercise"}
    assert alert_levels(chain) == ["3", "4", "0"]
    for alert in chain[:2]:
        for info in alert.iter(f"{CAP}info"):
            assert re.match(r"\[EXERCISE\]|【訓練】", info.findtext(f"{CAP}headline") or "")
    # who connects later finds the last word retained, where exercises are
    situation = last["assessment"]["situation"]
    where = topic.alert(TENANT, Exercise("typhoon"), SERVICE, situation)
    assert retained(city, {where})[where] == canonical(chain[-1])
    # and nothing of it touched reality
    assert city.items("/v1/alerts?status=Actual") == []
    assert chain_on_the_feed(city, "Actual", cap_schema) == []
    assert city.items(f"/v1/latest?entity={gauge_urn('90')}") == []


def test_telegrams_of_2026_and_before_propose_evacuation_for_the_town_they_name(
    city: City, official: dict[str, str]
) -> None:
    now = {"15_17_01_241226_VPWW56.xml": "気象警報・注意報（市町村等）"}
    before = {"17_04_01_250630_VXWW50.xml": "土砂災害警戒情報"}
    if not all((TELEGRAMS / name).is_file() for name in now | before):
        pytest.skip(f"the telegrams of the Japan Meteorological Agency are not at {TELEGRAMS}")
    codes = [
        named(
            TELEGRAMS / "15_17_01_241226_VPWW56.xml", "（市町村等）", "レベル４土砂災害危険警報"
        )[0],
        named(TELEGRAMS / "17_04_01_250630_VXWW50.xml", "土砂災害警戒情報", "警戒")[0],
    ]
    city.register(TOWN, [municipality(*codes)])

    for run, name in (("new-names", next(iter(now))), ("old-names", next(iter(before)))):
        city.command("replay", str(TELEGRAMS / name), "--speed", "max", "--run", run)
        proposal = until(
            lambda run=run: next((p for p in proposals(city, official) if p["run"] == run), None),
            f"a proposal of the exercise {run}",
            city=city,
        )
        assert proposal["status"] == "Exercise"
        assert proposal["assessment"]["situation"] == f"landslide/{MUNICIPALITY}"
        assert proposal["assessment"]["level"] == 4
        assert proposal["assessment"]["at"] == sent(TELEGRAMS / name)
        assert proposal["assessment"]["evidence"][0]["kind"] == "alert"
    assert len(proposals(city, official)) == 2
    heard = city.items("/v1/alerts?status=Exercise")
    assert {alert["run"] for alert in heard} == {"new-names", "old-names"}
    assert city.items("/v1/alerts?status=Actual") == []


# --- the real thing -----------------------------------------------------------------------------


def test_a_vendors_reading_becomes_an_order_for_real(
    city: City, official: dict[str, str], cap_schema: etree.XMLSchema
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the processes' clock is real
    with vendor(city.broker, "acme") as acme, live(city) as news:
        say(acme, now - timedelta(minutes=170), 1.2)
        say(acme, now - timedelta(minutes=160), 2.1)
        three = pending(city, official, GAUGE.id, 3)
        assert three["status"] == "Actual"
        assert three["assessment"]["evidence"][0]["value"] == 2.1
        assert three["assessment"]["evidence"][0]["threshold"] == 2.0
        # a person decides: nothing is out before, and not everybody may
        assert city.items("/v1/alerts?status=Actual") == []
        path = f"/v1/proposals/{three['id']}/approve"
        assert city.post(path).status_code == 401
        assert city.post(path, headers=city.key("reader")).status_code == 403
        approve(city, official, three)
        assert city.post(path, headers=official).status_code == 409
        say(acme, now - timedelta(minutes=150), 2.6)
        approve(city, official, pending(city, official, GAUGE.id, 4))
        for minutes in (140, 100, 60, 20):
            say(acme, now - timedelta(minutes=minutes), 0.9)
        stand_down = until(
            lambda: find(proposals(city, official), GAUGE.id, 0), "standing down", city=city
        )
        approve(city, official, stand_down)

        chain = chain_on_the_feed(city, "Actual", cap_schema, length=3)
        assert [message_type(alert) for alert in chain] == ["Alert", "Update", "Cancel"]
        check_references(chain)
        assert {alert.findtext(f"{CAP}status") for alert in chain} == {"Actual"}
        assert {alert.findtext(f"{CAP}sender") for alert in chain} == {"minami.example.jp"}
        assert alert_levels(chain) == ["3", "4", "0"]
        assert "EXERCISE" not in etree.tostring(chain[0]).decode()
        where = topic.alert(TENANT, Actual(), SERVICE, f"flood/{GAUGE.id}")
        assert retained(city, {where})[where] == canonical(chain[-1])
        until(lambda: len(news("alert")) >= 3 or None, "three alerts on the live stream")
        assert [alert["message_type"] for alert in news("alert")] == ["Alert", "Update", "Cancel"]
        # values that follow one another within a moment may be told as the newest of them
        values = [item["value"] for latest in news("latest") for item in latest["items"]]
        assert values[-1] == 0.9

    # what was published is what can be read
    (latest,) = city.items(f"/v1/entities/{GAUGE.id}/latest")
    assert (latest["observed_property"], latest["value"], latest["unit"]) == (
        "water_level",
        0.9,
        "m",
    )
    assert latest["observed_at"] == stamp(now - timedelta(minutes=20))
    history = city.items(f"/v1/entities/{GAUGE.id}/history/water_level?order=oldest_first")
    assert [sample["value"] for sample in history] == [1.2, 2.1, 2.6, 0.9, 0.9, 0.9, 0.9]
    since = stamp(now - timedelta(hours=4))
    hours = city.items(
        f"/v1/entities/{GAUGE.id}/history/water_level?interval=PT4H&aggregate=maximum&since={since}"
    )
    assert max(hour["value"] for hour in hours) == 2.6
    assert city.items("/v1/alerts?status=Exercise") == []


def test_a_bad_payload_is_explained_and_its_neighbours_are_kept(city: City) -> None:
    now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the processes' clock is real
    bad = {
        "undecodable": b'{"property": "water_level", "value": ',
        "out_of_range": reading(now, 4000.0),
        "unknown_property": reading(now, 1.0).replace(b"water_level", b"water_lvl"),
        "unit_not_convertible": reading(now, 1.0).replace(b'"m"', b'"Cel"'),
    }
    with vendor(city.broker, "acme") as acme:
        acme.subscribe(f"cityos/v1/{TENANT}/acme/logger/errors")
        for number, payload in enumerate(bad.values()):
            say(acme, now - timedelta(minutes=10 - number), 1.0 + number / 100)
            acme.publish(OBSERVATIONS, payload)
        say(acme, now, 1.5)
        until(lambda: len(acme.heard) >= len(bad) or None, "feedback for each", city=city)
        feedback = [json.loads(message.payload) for message in acme.heard]

    assert [said["reason"] for said in feedback] == list(bad)
    for said in feedback:
        assert said["topic"] == OBSERVATIONS
        assert said["detail"]
        assert said["hint"]
    hints = {said["reason"]: said["hint"] for said in feedback}
    assert "did you mean 'water_level'?" in hints["unknown_property"]
    letters = city.items("/v1/dead-letters", headers=city.key("admin"))
    assert {letter["reason"]: letter["payload"] for letter in letters} == {
        reason: payload.decode() for reason, payload in bad.items()
    }
    assert {(letter["vendor"], letter["device"]) for letter in letters} == {("acme", "logger")}
    assert city.get("/v1/dead-letters").status_code == 401
    (latest,) = until(
        lambda: city.items(f"/v1/entities/{GAUGE.id}/latest") or None,
        "the newest level",
        city=city,
    )
    assert latest["value"] == 1.5
    history = city.items(f"/v1/entities/{GAUGE.id}/history/water_level")
    assert len(history) == len(bad) + 1


# --- the city, from outside ---------------------------------------------------------------------


def gauge_urn(gauge: str) -> str:
    return (
        gauge
        if gauge.startswith("urn:")
        else f"urn:ngsi-ld:WaterLevelGauge:{TENANT}:fukui-{gauge}"
    )


def reading(time: datetime, level_m: float) -> bytes:
    item = {"property": "water_level", "value": level_m, "unit": "m", "time": stamp(time)}
    return json.dumps(item).encode()


def say(acme: Vendor, time: datetime, level_m: float) -> None:
    acme.publish(OBSERVATIONS, reading(time, level_m))


def replay(city: City, part: Path) -> None:
    said = city.command("replay", str(part), "--speed", "max", "--run", "typhoon")
    assert "as exercise typhoon" in said
    assert " exercise end typhoon" in said


def proposals(city: City, official: dict[str, str]) -> list[dict[str, Any]]:
    return city.items("/v1/proposals", headers=official)


def find(found: Sequence[dict[str, Any]], gauge: str, level: int) -> dict[str, Any] | None:
    """The pending proposal of this level for the gauge."""
    for proposal in found:
        assessment = proposal["assessment"]
        wanted = (f"flood/{gauge_urn(gauge)}", level)
        if (assessment["situation"], assessment["level"]) == wanted and (
            proposal["state"] == "pending"
        ):
            return proposal
    return None


def pending(city: City, official: dict[str, str], gauge: str, level: int) -> dict[str, Any]:
    return until(
        lambda: find(proposals(city, official), gauge, level),
        f"a proposal of level {level} for gauge {gauge}",
        city=city,
    )


def approve(city: City, official: dict[str, str], proposal: dict[str, Any]) -> None:
    path = f"/v1/proposals/{proposal['id']}/approve"
    answer = city.post(path, headers=official, json={"note": "confirmed"})
    assert answer.status_code in {200, 201}, answer.text


def rises_in(found: Sequence[dict[str, Any]]) -> set[Rise]:
    """Where proposals went up to level 3 or more: gauge, level, time of the reading."""
    before: dict[str, int] = {}
    rises = set()
    for proposal in sorted(found, key=lambda proposal: proposal["revision"]):
        assessment = proposal["assessment"]
        situation, level = assessment["situation"], assessment["level"]
        if level > before.get(situation, 0) and level >= 3:
            gauge = situation.rpartition("fukui-")[2]
            rises.add((gauge, level, datetime.fromisoformat(assessment["at"])))
        before[situation] = level
    return rises
