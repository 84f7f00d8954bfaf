"""From a reading that crosses a danger level to its alert, while ingest is busy.

The proposals of the exercise approve themselves, as in a drill.
"""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import UTC, datetime

import httpx2
import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.ingest import wait_for_ingest
from tests.bench.latency import percentiles
from tests.bench.reads import wait_for
from tests.bench.stage import GAUGES, TENANT, VENDOR, Stage

RUN = "bench"


def publish_to_alert_ms(stage: Stage, rate: float) -> dict[str, dict[str, float]]:
    """Percentiles until the alert is on MQTT, and until it is on the Atom feed."""
    url = stage.new_city()
    every_s, seconds = 0.3, GAUGES * 0.3 + 6
    publisher = stage.publisher(int(rate * seconds), rate=rate)
    http = _start(stage, url)
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("rehearsal", stage.broker.passwords["rehearsal"])
    heard: dict[int, float] = {}
    listed: dict[int, float] = {}
    sent: dict[int, float] = {}
    stopping = threading.Event()

    def on_message(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        heard.setdefault(gauge_in(message.topic), time.perf_counter())

    def watch_feed() -> None:
        with httpx2.Client() as feed:
            while not stopping.is_set():
                text = feed.get(f"{http}/v1/alerts.atom?status=Exercise").text
                now = time.perf_counter()
                for number in sent.keys() - listed.keys():
                    if re.search(rf"水位計{number}(?!\d)", text):
                        listed[number] = now
                stopping.wait(0.02)

    client.on_message = on_message
    client.connect("127.0.0.1", stage.broker.port)
    client.loop_start()
    client.subscribe(f"cityos/v1/{TENANT}/alerts/exercise/#", qos=1)
    watcher = threading.Thread(target=watch_feed)
    watcher.start()
    publisher.go()
    time.sleep(2.0)
    for number in range(GAUGES):
        body = {"property": "water_level", "value": 4.5, "time": datetime.now(UTC).isoformat()}
        topic = f"cityos/v1/{TENANT}/{VENDOR}/gauge-{number}/observations/exercise/{RUN}"
        sent[number] = time.perf_counter()
        client.publish(topic, json.dumps(body), qos=1)
        time.sleep(every_s)
    end = time.monotonic() + 10
    while time.monotonic() < end and (len(heard) < GAUGES or len(listed) < GAUGES):
        time.sleep(0.1)
    stopping.set()
    watcher.join()
    publisher.done()
    client.disconnect()
    client.loop_stop()
    stage.end()
    stage.leave_city(url)
    assert len(heard) == GAUGES, f"{len(heard)} of {GAUGES} alerts came on MQTT"
    return {
        name: percentiles([(found[n] - sent[n]) * 1000 for n in found])
        for name, found in (("mqtt", heard), ("atom", listed))
    }


def _start(stage: Stage, database_url: str) -> str:
    """Start the three processes; return the API's URL when all are ready."""
    stage.cityos("ingest", database_url=database_url)
    stage.cityos("dispatch", database_url=database_url, CITYOS_EXERCISE_APPROVAL=RUN)
    stage.cityos("api", database_url=database_url)
    http = f"http://127.0.0.1:{stage.http_port}"
    wait_for(f"{http}/v1/ready")
    with psycopg.connect(database_url, autocommit=True) as connection:
        wait_for_ingest(connection)
    return http


def gauge_in(topic: str) -> int:
    """The gauge's number, before the digits that make the topic its situation's own."""
    return int(topic.split("-")[-2])
