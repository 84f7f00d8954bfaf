"""The demo city and replays on the real store and the real broker."""

from __future__ import annotations

import io
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client, MQTTMessage
from rich.console import Console
from structlog.testing import capture_logs

from cityos import settings
from cityos.bootstrap.broker import vendors_of
from cityos.bootstrap.feeds import feed_sources
from cityos.clock import SystemClock
from cityos.domain.entity import REHEARSAL_ONLY, Device, Entity, Name, Tenant
from cityos.errors import InvalidRequest, NotFound, Unavailable
from cityos.plugins.discovery import discover
from cityos.ports import EntityQuery
from cityos.rehearsal import city_files
from cityos.rehearsal.mqtt import WindowedPublisher
from cityos.rehearsal.player import play_day
from cityos.rehearsal.progress import Progress
from cityos.rehearsal.replay import Replay
from cityos.runtime.broker import MqttBroker
from cityos.storage.database import Database
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry

DEMO = Path(__file__).parents[2] / "deploy" / "demo" / "yaizu"
GAUGES = "id,観測所名,河川名,はん濫危険水位,避難判断水位\n7,橋,川,3.6,3.1\n8,堰,川,2.0,---\n"
DAY = "日時,河川水位,id\n" + "".join(
    f"2024-06-23T{hour:02d}:{minute:02d},{1 + hour / 10:.2f},{gauge}\n"
    for hour in range(24)
    for minute in (0, 20, 40)
    for gauge in (7, 8)
)


class Store:
    def __init__(self, url: str) -> None:
        self.database = Database(url, application="test-rehearsal", max_size=2)
        self.registry = PostgresRegistry(self.database)
        self.reader = PostgresCityReader(self.database)

    def replay(self, source: Path, *, tenant: str = "town", run: str = "typhoon") -> Replay:
        return Replay(
            source,
            run=run,
            tenant=tenant,
            registry=self.registry,
            city=self.reader,
            clock=SystemClock(),
        )


class Ear:
    """Hears every observation that is published."""

    def __init__(self, broker: MqttBroker) -> None:
        self.messages: list[MQTTMessage] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set("ingest", broker.passwords["ingest"])
        self._client.on_message = lambda _c, _d, message: self.messages.append(message)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect(broker.host, broker.port)
        self._client.subscribe("cityos/v1/+/+/+/observations/#", qos=1)
        self._client.loop_start()
        assert self._subscribed.wait(5)

    def wait_for(self, count: int) -> list[MQTTMessage]:
        deadline = time.monotonic() + 10
        while len(self.messages) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.messages

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url)
    opened.registry.put_tenant(Tenant(id="town", name=Name("Town", "町")))
    yield opened
    opened.database.close()


@pytest.fixture
def ear(mqtt_broker: MqttBroker) -> Iterator[Ear]:
    opened = Ear(mqtt_broker)
    yield opened
    opened.close()


@pytest.fixture
def publisher_for(mqtt_broker: MqttBroker) -> Iterator[Callable[..., WindowedPublisher]]:
    opened: list[WindowedPublisher] = []

    def make(user: str, **rest: Any) -> WindowedPublisher:
        publisher = WindowedPublisher(mqtt_broker.url_for(user), **rest)
        opened.append(publisher)
        publisher.wait_connected(5)
        return publisher

    yield make
    for publisher in opened:
        publisher.close()


@pytest.fixture
def day(tmp_path: Path) -> Path:
    (tmp_path / "fukui_sensors.csv").write_text(GAUGES)
    (tmp_path / "day.csv").write_text(DAY)
    return tmp_path / "day.csv"


def quiet() -> Progress:
    return Progress(Console(file=io.StringIO()))


# --- the demo city ------------------------------------------------------------------------------


def test_the_demo_city_is_registered_and_again_without_a_change(store: Store) -> None:
    city = city_files.load(DEMO)
    for _ in range(2):
        city_files.register(city, store.registry)
        devices = store.registry.devices("yaizu")
        found = store.reader.find_entities("yaizu", EntityQuery(limit=1000))

        assert store.reader.tenant("yaizu") == city.tenant
        assert {e.entity.id: e.entity for e in found} == {e.id: e for e in city.entities}
        assert sorted(devices, key=str) == sorted(city.devices, key=str)


def test_the_simulated_day_goes_out_with_the_vendors_rights(
    ear: Ear, publisher_for: Callable[..., WindowedPublisher]
) -> None:
    city = city_files.load(DEMO)
    clock, stop = SystemClock(), threading.Event()
    publisher = publisher_for("simulator")
    threading.Timer(2.5, stop.set).start()
    with capture_logs() as logs:
        count = play_day(city, publisher, clock=clock, stop=stop, pace=120)
    publisher.drain(5)

    assert [line["event"] for line in logs] == ["playing a simulated day"]
    assert logs[0]["storm_every_minutes"] == 12
    assert count == publisher.acknowledged == len(ear.wait_for(count))
    assert count > 10
    assert publisher.refused == {}
    topics = {message.topic for message in ear.messages}
    assert all(topic.startswith("cityos/v1/yaizu/demo") for topic in topics)
    assert all(topic.endswith("/observations") for topic in topics)


# --- replays ------------------------------------------------------------------------------------


def test_a_recorded_day_goes_out_as_an_exercise_with_its_own_times(
    store: Store, ear: Ear, publisher_for: Callable[..., WindowedPublisher], day: Path
) -> None:
    publisher = publisher_for("rehearsal")
    summary = store.replay(day).play(
        publisher, speed=math.inf, stop=threading.Event(), progress=quiet()
    )
    heard = ear.wait_for(144)

    assert (summary.published, summary.skipped.counts, summary.refused) == (144, {}, {})
    assert summary.stopped is False
    assert len(heard) == 144
    assert {message.topic for message in heard} == {
        f"cityos/v1/town/fukui/{gauge}/observations/exercise/typhoon" for gauge in (7, 8)
    }
    said = [json.loads(message.payload)[0] for message in heard]
    assert said[0]["time"] == "2024-06-22T15:00:00Z"
    assert said[-1]["time"] == "2024-06-23T14:40:00Z"
    assert [item["time"] for item in said] == sorted(item["time"] for item in said)
    gauge = store.reader.entity("town", "urn:ngsi-ld:WaterLevelGauge:town:fukui-7")
    assert gauge.attributes["evacuation_level_m"] == 3.1
    assert gauge.attributes["rehearsal_only"] is True


def test_the_second_replay_of_a_day_registers_nothing_new(store: Store, day: Path) -> None:
    assert store.replay(day).prepare() is True
    registered = store.registry.devices("town")

    assert store.replay(day, run="again").prepare() is False
    assert store.registry.devices("town") == registered


def test_a_speed_is_kept(
    store: Store, publisher_for: Callable[..., WindowedPublisher], day: Path
) -> None:
    lines = day.read_text().splitlines()
    day.write_text("\n".join(lines[:15]) + "\n")  # two hours and twenty minutes
    store.replay(day).prepare()
    publisher = publisher_for("rehearsal")
    started = time.monotonic()
    store.replay(day).play(publisher, speed=8000.0, stop=threading.Event(), progress=quiet())

    assert time.monotonic() - started == pytest.approx(8400 / 8000, abs=0.4)


def test_it_can_be_stopped(
    store: Store, ear: Ear, publisher_for: Callable[..., WindowedPublisher], day: Path
) -> None:
    store.replay(day).prepare()
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    summary = store.replay(day).play(
        publisher_for("rehearsal"), speed=1000.0, stop=stop, progress=quiet()
    )

    assert summary.stopped is True
    assert 0 < summary.published < 20
    assert len(ear.wait_for(summary.published)) == summary.published


def test_telegrams_go_through_the_citys_own_feed_device(
    store: Store, ear: Ear, publisher_for: Callable[..., WindowedPublisher], tmp_path: Path
) -> None:
    (tmp_path / "a.xml").write_text(
        '<Report xmlns="http://xml.kishou.go.jp/jmaxml1/"><Control>'
        "<DateTime>2024-06-23T10:00:00Z</DateTime></Control></Report>"
    )
    with pytest.raises(InvalidRequest, match="no Municipality entity"):
        store.replay(tmp_path).prepare()
    town = Entity(
        id="urn:ngsi-ld:Municipality:town:1",
        type="Municipality",
        name=Name("Town", "町"),
        attributes={"jma_area_codes": ["9999900"]},
    )
    store.registry.put_entities("town", [town])
    summary = store.replay(tmp_path).play(
        publisher_for("rehearsal"), speed=math.inf, stop=threading.Event(), progress=quiet()
    )

    assert summary.published == 1
    (device,) = store.registry.devices("town")
    assert (device.vendor, device.id, device.entity) == ("jma", "jma_xml", town.id)
    (message,) = ear.wait_for(1)
    assert message.topic == "cityos/v1/town/jma/jma_xml/observations/exercise/typhoon"
    assert message.payload == (tmp_path / "a.xml").read_bytes()


def test_what_a_replay_registers_is_nobody_who_connects_and_nothing_that_is_polled(
    store: Store, day: Path
) -> None:
    town = Entity(
        id="urn:ngsi-ld:Municipality:town:1",
        type="Municipality",
        name=Name("Town", "町"),
        attributes={"jma_area_codes": ["9999900"]},
    )
    store.registry.put_entities("town", [town])
    (day.parent / "a.xml").write_text(
        '<Report xmlns="http://xml.kishou.go.jp/jmaxml1/"><Control>'
        "<DateTime>2024-06-23T10:00:00Z</DateTime></Control></Report>"
    )
    assert store.replay(day.parent).prepare()
    registered = store.registry.devices("town")
    assert {device.vendor for device in registered} == {"fukui", "jma"}
    assert vendors_of({"town": registered}) == {}
    assert list(feed_sources(settings.load(), discover(), store.registry)) == []


def test_a_device_of_the_citys_own_stays_as_it_is(store: Store, day: Path) -> None:
    own = Device(vendor="fukui", id="7", adapter="cityos_json", entity="urn:ngsi-ld:Gauge:town:1")
    store.registry.put_entities(
        "town", [Entity(id=own.entity, type="Gauge", name=Name("G", "計"))]
    )
    store.registry.put_devices("town", [own])
    assert store.replay(day).prepare()
    registered = {device.id: device for device in store.registry.devices("town")}
    assert registered.keys() == {"7", "8"}
    assert registered["7"] == own
    assert vendors_of({"town": list(registered.values())}) == {"fukui": ["town"]}


def test_what_an_unknown_device_said_is_not_sent(
    store: Store, publisher_for: Callable[..., WindowedPublisher], tmp_path: Path
) -> None:
    line = {"time": "2024-06-23T10:00:00Z", "topic": "cityos/v1/x/acme/one/observations"}
    (tmp_path / "day.jsonl").write_text(json.dumps(line | {"payload": "1"}))
    summary = store.replay(tmp_path).play(
        publisher_for("rehearsal"), speed=math.inf, stop=threading.Event(), progress=quiet()
    )

    assert summary.published == 0
    assert dict(summary.skipped.counts) == {"the device is not registered in this city": 1}
    assert list(summary.skipped.examples.values()) == [["acme/one"]]


def test_there_must_be_such_a_city(store: Store, day: Path) -> None:
    with pytest.raises(NotFound):
        store.replay(day, tenant="nowhere").prepare()


# --- the connection -----------------------------------------------------------------------------


def test_a_rehearsal_may_not_speak_for_real(
    ear: Ear, mqtt_broker: MqttBroker, publisher_for: Callable[..., WindowedPublisher]
) -> None:
    if not mqtt_broker.has_access_list:
        pytest.skip("this broker has no access list")
    publisher = publisher_for("rehearsal")
    publisher.send("cityos/v1/town/demo/gauge/observations", b"{}")
    publisher.drain(5)

    assert publisher.acknowledged == 0
    assert list(publisher.refused.values()) == [1]
    assert ear.messages == []


def test_two_thousand_messages_pass_through_a_narrow_window(
    ear: Ear, publisher_for: Callable[..., WindowedPublisher]
) -> None:
    publisher = publisher_for("rehearsal", window=50)
    for number in range(2000):
        publisher.send("cityos/v1/town/demo/gauge/observations/exercise/r", b"%d" % number)
    publisher.drain(10)

    assert publisher.acknowledged == 2000
    assert [int(message.payload) for message in ear.wait_for(2000)] == list(range(2000))


def test_a_broker_that_lets_nobody_in_is_unavailable(free_port: int) -> None:
    publisher = WindowedPublisher(f"mqtt://127.0.0.1:{free_port}", window=1)
    try:
        with pytest.raises(Unavailable, match="no connection to the broker"):
            publisher.wait_connected(0.5)
        publisher.send("t", b"1", timeout_s=0.2)  # waits in the window for the connection
        with pytest.raises(Unavailable, match="acknowledges nothing"):
            publisher.send("t", b"2", timeout_s=0.2)
        with pytest.raises(Unavailable, match="1 messages were not acknowledged"):
            publisher.drain(0.2)
    finally:
        publisher.close()


def test_a_broker_that_comes_back_gets_what_was_waiting(
    start_own_broker: Callable[..., MqttBroker], new_home: Callable[[], Path], free_port: int
) -> None:
    home = new_home()
    broker = start_own_broker(home, port=free_port)
    states: list[bool] = []
    publisher = WindowedPublisher(
        # some brokers have MQTT 5 on a port of its own, which a restart changes
        broker.url_for("rehearsal", version=4),
        mqtt5=False,
        on_state=lambda up, _why: states.append(up),
    )
    try:
        publisher.wait_connected(5)
        broker.stop()
        for number in range(20):
            publisher.send("cityos/v1/town/demo/g/observations/exercise/r", b"%d" % number)
        start_own_broker(home, port=free_port)
        publisher.drain(20)

        assert publisher.acknowledged == 20
        assert states[0] is True
        assert False in states
        assert states[-1] is True
    finally:
        publisher.close()


def test_what_a_replay_registered_before_there_was_the_mark_gets_it(
    store: Store, day: Path
) -> None:
    assert store.replay(day).prepare()
    marked = sorted(store.registry.devices("town"), key=str)
    store.registry.put_devices("town", [replace(device, settings={}) for device in marked])
    assert vendors_of({"town": store.registry.devices("town")}) == {"fukui": ["town"]}
    assert store.replay(day).prepare()
    assert sorted(store.registry.devices("town"), key=str) == marked
    assert vendors_of({"town": marked}) == {}


def test_an_entity_of_the_citys_own_stays_as_it_is(store: Store, day: Path) -> None:
    own = Entity(
        id="urn:ngsi-ld:WaterLevelGauge:town:fukui-7",
        type="WaterLevelGauge",
        name=Name("Bridge", "大橋"),
        attributes={"danger_level_m": 9.9},
    )
    device = Device(vendor="fukui", id="7", adapter="cityos_json", entity=own.id)
    store.registry.put_entities("town", [own])
    store.registry.put_devices("town", [device])
    assert store.replay(day).prepare()
    assert store.reader.entity("town", own.id) == own
    assert device in store.registry.devices("town")
    (listed,) = store.reader.find_entities("town", EntityQuery())
    assert listed.entity == own
    other = store.reader.entity("town", "urn:ngsi-ld:WaterLevelGauge:town:fukui-8")
    assert other.attributes[REHEARSAL_ONLY] is True
