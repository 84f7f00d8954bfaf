"""``cityos simulate --city``: any loaded practice city's day, and no other's."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cityos.bootstrap import simulate
from cityos.domain.topic import OBSERVATIONS_FILTER
from cityos.errors import CityOSError, Conflict, InvalidRequest, NotFound, Unavailable
from cityos.rehearsal import city_files
from cityos.runtime.broker import MqttBroker
from cityos.runtime.running import Addresses
from cityos.settings import Settings
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry
from tests.ears import Ears

TOWN = """
id = "town"
practice = true
municipality_code = "99999"
alert_sender = "town.example"
[name]
en = "Town"
ja = "町"
"""
GAUGES = "id,name_en,name_ja,longitude,latitude,danger_level_m\nbridge,Bridge,橋,138.3,34.9,2.5\n"
DEVICES = "vendor,id,adapter,entity\nacme,one,cityos_json,WaterLevelGauge:bridge\n"


class Place:
    """A town's folder, and the store and the broker that it is played to."""

    def __init__(self, folder: Path, settings: Settings, registry: PostgresRegistry) -> None:
        self.folder = folder
        self.settings = settings
        self.registry = registry
        (folder / "entities").mkdir()
        self.write("city.toml", TOWN)
        self.write("entities/WaterLevelGauge.csv", GAUGES)
        self.write("devices.csv", DEVICES)
        self.write("simulation.toml", "")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def load(self) -> None:
        city_files.register(city_files.load(self.folder), self.registry)

    def lapse(self) -> object:
        [tenant] = self.registry.tenants()
        return tenant.attributes.get("time_lapse")

    def refusal(self) -> CityOSError:
        with pytest.raises(CityOSError) as refused:
            simulate.run_city(self.settings, self.folder)
        return refused.value


@pytest.fixture
def place(tmp_path: Path, database_url: str, mqtt_broker: MqttBroker) -> Iterator[Place]:
    database = Database(database_url, application="test-simulate", max_size=1)
    folder = tmp_path / "town"
    folder.mkdir()
    settings = Settings(
        home=tmp_path,
        database_url=database_url,
        mqtt_url=mqtt_broker.url_for("simulator"),
        simulation_pace=120,
    )
    yield Place(folder, settings, PostgresRegistry(database))
    database.close()


@pytest.fixture
def ears(mqtt_broker: MqttBroker) -> Iterator[Ears]:
    with Ears(mqtt_broker, OBSERVATIONS_FILTER, user="ingest") as listening:
        yield listening


@pytest.fixture
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals_as_before")
def test_the_day_of_a_loaded_city_is_played_until_it_is_stopped(place: Place, ears: Ears) -> None:
    place.load()
    heard, lapses = set(), []

    def stop() -> None:
        heard.add(ears.next()[0])
        lapses.append(place.lapse())
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    simulate.run_city(place.settings, place.folder)

    assert heard == {"cityos/v1/town/acme/one/observations"}
    assert lapses == [120]
    assert place.lapse() is None


@pytest.mark.usefixtures("_signals_as_before")
def test_it_ends_when_the_city_goes_live(place: Place, ears: Ears) -> None:
    place.load()

    def go_live() -> None:
        ears.next()
        place.write("city.toml", TOWN.replace("true", "false"))
        place.load()

    threading.Thread(target=go_live).start()
    with pytest.raises(Conflict, match="'town' went live meanwhile"):
        simulate.run_city(place.settings, place.folder)
    [tenant] = place.registry.tenants()
    assert not tenant.practice
    place.registry.set_time_lapse("town", 60)
    assert place.lapse() is None, "time in earnest is real time"


def test_nothing_is_simulated_while_nobody_knows_whether_the_city_practices(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    class Outlet:
        def send(self, topic: str, payload: bytes, *, timeout_s: float = 1.0) -> None:
            del payload, timeout_s
            sent.append(topic)

    monkeypatch.setattr(simulate, "_CERTAIN_S", 0.0)
    place.load()
    outlet = simulate._WhilePractising(Outlet(), place.registry, "town")
    outlet.send("1", b"")
    with monkeypatch.context() as away:
        away.setattr(PostgresRegistry, "tenants", unavailable)
        with pytest.raises(Unavailable):
            outlet.send("2", b"")
    outlet.send("3", b"")
    place.write("city.toml", TOWN.replace("true", "false"))
    place.load()
    with pytest.raises(simulate._InEarnest):
        outlet.send("4", b"")
    assert sent == ["1", "3"]


def unavailable(_registry: object) -> None:
    raise Unavailable("the database does not answer")


def test_a_city_that_is_not_loaded_or_in_earnest_is_refused(place: Place) -> None:
    assert isinstance(place.refusal(), NotFound)
    assert "there is no city 'town' here yet: `cityos load FOLDER`" in str(place.refusal())
    place.load()
    place.write("devices.csv", DEVICES + "acme,two,cityos_json,WaterLevelGauge:bridge\n")
    assert "run `cityos load` again: acme/two" in str(place.refusal())
    place.write("city.toml", TOWN.replace("true", "false"))
    place.load()
    assert isinstance(place.refusal(), Conflict)
    assert "in earnest" in str(place.refusal())


def test_a_folder_without_a_simulated_day_is_refused(place: Place) -> None:
    place.load()
    (place.folder / "simulation.toml").unlink()
    refusal = place.refusal()
    assert isinstance(refusal, InvalidRequest)
    assert "has no simulation.toml" in str(refusal)
    place.write("simulation.toml", "")
    place.write("devices.csv", DEVICES.replace("cityos_json", "jma_xml"))
    assert "no device that can be simulated" in str(place.refusal())


def test_a_vendor_that_our_broker_has_yet_to_learn_of_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.load()
    started = Addresses(
        database_url=place.settings.database_url,
        redis_url="",
        mqtt_urls={"simulator": "mqtt://x", "demo": "mqtt://x"},
    )
    monkeypatch.setattr("cityos.bootstrap.simulate.connect.addresses", lambda *_: started)
    assert "the broker does not know acme yet" in str(place.refusal())
