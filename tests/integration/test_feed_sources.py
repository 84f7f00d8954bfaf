"""What a city's feeds fetch: its own data says it, and the operator has the last word."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cityos import settings
from cityos.bootstrap.demo import demo_city
from cityos.bootstrap.feeds import RegisteredFeeds, feed_sources
from cityos.domain.entity import Device
from cityos.errors import Unavailable
from cityos.ingest.listener import BrokerAddress, Listener
from cityos.ingest.mqtt_clients import BatchClient
from cityos.messaging.mqtt import MqttPublisher
from cityos.plugins.contract import Fetch
from cityos.plugins.discovery import discover
from cityos.rehearsal import city_files
from cityos.runtime import mqtt_access
from cityos.runtime.broker import MqttBroker
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry
from cityos.testing import builders as b
from tests.waiting import wait_until

CASES = Path(__file__).parents[2] / "adapters/jma_xml/cases"
LISTING = CASES / "listing/input.xml"
TELEGRAM = (CASES / "landslide_alert_2026/input.xml").read_bytes()


@pytest.mark.parametrize(
    ("chosen", "prefectures"),
    [
        ({}, {"22"}),
        ({"jma_xml": {"prefectures": ["12"]}}, {"12"}),
        ({"jma_xml": {"prefectures": []}}, {"12", "22"}),
    ],
    ids=["the city's own", "another by the operator", "the country by the operator"],
)
def test_the_demo_city_fetches_the_telegrams_of_its_own_prefecture(
    database_url: str, chosen: Mapping[str, Any], prefectures: set[str]
) -> None:
    database = Database(database_url, application="test-feeds", max_size=1)
    try:
        registry = PostgresRegistry(database)
        city_files.register(demo_city(), registry)
        said = settings.load(plugins=chosen)
        (source,) = feed_sources(said, discover(settings=said.plugins), registry)
    finally:
        database.close()
    receipt = b.receipt(device=source.device, settings=source.settings)
    fetched = source.feed.read(LISTING.read_bytes(), receipt)
    urls = " ".join(item.url for item in fetched if isinstance(item, Fetch))
    assert set(re.findall(r"_VPWW56_(\d\d)0000\.xml", urls)) == prefectures
    assert "_VXSE53_" in urls, "an earthquake is of no prefecture"


class Slow(PostgresRegistry):
    """It does not answer as often as it is told."""

    silent = 0

    def devices(self, tenant: str) -> Sequence[Device]:
        if self.silent:
            self.silent -= 1
            raise Unavailable("the database does not answer")
        return super().devices(tenant)


def test_a_feed_that_is_registered_later_is_found_without_a_restart(database_url: str) -> None:
    database = Database(database_url, application="test-feeds", max_size=1)
    try:
        registry, said = Slow(database), settings.load()
        registered = RegisteredFeeds(said, discover(), registry)
        assert registered() == []
        assert registered() is None, "nothing has changed"
        city_files.register(demo_city(), registry)
        registry.silent = 1
        with pytest.raises(Unavailable):
            registered()
        assert [source.device for source in registered() or []] == ["jma_xml"]
        assert registered() is None
    finally:
        database.close()


class Agency(BaseHTTPRequestHandler):
    """A listing of one telegram, and the telegram."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        host, _, port = f"{self.headers['Host']}".partition(":")
        link = f"http://{host}:{port}/data/20260904030100_0_VXWW50_220000.xml"
        content = TELEGRAM
        if self.path == "/feed.xml":
            content = (
                f'<feed xmlns="http://www.w3.org/2005/Atom"><title>f</title><entry><id>{link}</id>'
                "<title>t</title><updated>2026-09-04T03:01:00Z</updated>"
                f'<link href="{link}"/></entry></feed>'
            ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        pass


def test_what_the_process_fetches_before_ingest_has_ever_listened_reaches_it(
    database_url: str, start_own_broker: Callable[..., MqttBroker], tmp_path: Path
) -> None:
    broker = start_own_broker()
    if not says_that_nobody_listens(broker):
        pytest.skip("this broker does not say that nobody listens")
    database = Database(database_url, application="test-feeds", max_size=1)
    city_files.register(demo_city(), PostgresRegistry(database))
    database.close()
    agency = ThreadingHTTPServer(("127.0.0.1", 0), Agency)
    threading.Thread(target=agency.serve_forever, args=(0.02,), daemon=True).start()
    listing = f"http://127.0.0.1:{agency.server_address[1]}/feed.xml"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CITYOS_")}  # noqa: TID251
    with (tmp_path / "feeds.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cityos", "feeds"],
            env=inherited
            | {
                "CITYOS_HOME": str(tmp_path),
                "CITYOS_DATABASE_URL": database_url,
                "CITYOS_MQTT_URL": broker.url_for("feeds"),
                "CITYOS_FEED_URLS": json.dumps({"jma_xml": [listing]}),
                "CITYOS_LOG_FORMAT": "json",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def said() -> list[tuple[str, str]]:
        lines = [json.loads(line) for line in (tmp_path / "feeds.log").read_text().splitlines()]
        return [(line["level"], line["event"]) for line in lines]

    listener = Listener(
        BatchClient("first-time"), BrokerAddress.of(broker.url_for(mqtt_access.INGEST.name))
    )
    try:
        wait_until(said)
        arrived: list[bytes] = []

        def hear() -> bool:
            came = listener.wait(0.1)
            listener.acknowledge(came)
            arrived.extend(payload for arrival in came for _, payload in arrival.messages)
            return len(said()) > 1

        wait_until(hear)
        assert arrived == [TELEGRAM]
        assert Agency.asked[1:] == ["/data/20260904030100_0_VXWW50_220000.xml"], "fetched once"
        assert said() == [
            ("info", "ingest does not listen yet, what was fetched waits for it"),
            ("info", "ingest listens"),
        ]
    finally:
        listener.stop()
        process.terminate()
        process.wait(20)
        agency.shutdown()
        agency.server_close()


def says_that_nobody_listens(broker: MqttBroker) -> bool:
    publisher = MqttPublisher(broker.url_for("feeds"), client_id="asks", heard=True)
    try:
        publisher.publish("cityos/v1/t/jma/d/observations", b"", retain=False, timeout_s=5)
    except Unavailable:
        return True
    else:
        return False
    finally:
        publisher.close()
