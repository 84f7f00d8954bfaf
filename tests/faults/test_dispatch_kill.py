"""kill -9 of dispatch at its worst moments: effects exactly once, deliveries at least once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lxml import etree
from prometheus_client import CollectorRegistry

from cityos.api.cap.mapping import cap_document
from cityos.dispatch.channels.mqtt import MqttChannel
from cityos.dispatch.delivery import DeliveryWorker
from cityos.dispatch.metrics import DispatchMetrics
from cityos.domain import topic
from cityos.domain.alert_level import AlertLevel
from cityos.domain.occasion import Actual
from cityos.messaging.mqtt import MqttPublisher
from cityos.runtime.broker import MqttBroker
from cityos.testing import builders as a
from tests.alert_path import AlertPath
from tests.ears import Ears

ROOT = Path(__file__).parents[2]
EVENTS = 120

# Takes events, performs one assessment each, says so, and waits where it was told to.
DISPATCH = """
import sys, time
from cityos.testing import builders as a
from tests.alert_path import AlertPath
path, where = AlertPath(sys.argv[1]), sys.argv[2]
queue = path.queue()
print("ready", flush=True)
while True:
    with queue.take(5) as works:
        for work in works:
            key = f"flood/{work.event.reading.entity}"
            work.perform("watch", [a.assessment(key, moment=work.event.at)])
            work.done()
        if works and where == "before commit":
            print("performed", flush=True)
            time.sleep(60)
    if not works:
        time.sleep(0.01)
"""

# Delivers one alert over MQTT, says so, and waits before it is marked as delivered.
DELIVER = """
import sys, time
from cityos.api.cap.mapping import cap_document
from cityos.dispatch.channels.mqtt import MqttChannel
from cityos.messaging.mqtt import MqttPublisher
from tests.alert_path import AlertPath
path = AlertPath(sys.argv[1])
channel = MqttChannel(MqttPublisher(sys.argv[2], client_id="test-killed"), cap_document)
with path.outbox().take("mqtt", path.clock.now()) as delivery:
    channel.deliver(delivery)
    print("delivered", flush=True)
    time.sleep(60)
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def heard_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def fill(city: AlertPath) -> None:
    for number in range(EVENTS):
        city.happen(a.reading(f"urn:x:{number}", "water_level", 4.0))


def finish(city: AlertPath) -> None:
    queue = city.queue()
    while True:
        with queue.take(50) as works:
            for work in works:
                key = f"flood/{work.event.reading.entity}"  # type: ignore[union-attr]
                work.perform("watch", [a.assessment(key, moment=work.event.at)])
                work.done()
        if not works and city.rows("SELECT count(*) FROM event") == [(0,)]:
            return


def assert_exactly_once(city: AlertPath) -> None:
    rows = city.rows("SELECT count(*), count(DISTINCT situation), max(revision) FROM proposal")
    assert rows == [(EVENTS, EVENTS, 1)]
    assert city.rows("SELECT count(*) FROM situation") == [(EVENTS,)]


def test_killed_between_performing_and_commit_nothing_is_lost_or_doubled(city: AlertPath) -> None:
    fill(city)
    process = start(DISPATCH, city.url, "before commit")
    assert heard_line(process) == "ready"
    assert heard_line(process) == "performed"
    kill(process)
    finish(city)
    assert_exactly_once(city)


def test_killed_at_random_times_nothing_is_lost_or_doubled(city: AlertPath) -> None:
    fill(city)
    chance = random.Random(7)
    for _ in range(3):
        process = start(DISPATCH, city.url, "nowhere")
        assert heard_line(process) == "ready"
        time.sleep(chance.uniform(0.0, 0.15))
        kill(process)
    finish(city)
    assert_exactly_once(city)


def test_killed_between_delivery_and_mark_it_is_delivered_again_under_the_same_identifier(
    city: AlertPath, mqtt_broker: MqttBroker
) -> None:
    proposal = city.propose(a.assessment("flood/killed", AlertLevel.EVACUATE))
    assert proposal is not None
    alert = city.approve(proposal)
    url = mqtt_broker.url_for("dispatch")
    where = topic.alert("town", Actual(), "flood_watch", "flood/killed")
    with Ears(mqtt_broker, where) as ears:
        process = start(DELIVER, city.url, url)
        assert heard_line(process) == "delivered"
        kill(process)
        publisher = MqttPublisher(url, client_id="test-successor")
        worker = DeliveryWorker(
            MqttChannel(publisher, cap_document),
            city.outbox(),
            clock=city.clock,
            metrics=DispatchMetrics(CollectorRegistry()),
        )
        deadline = time.monotonic() + 10
        while not worker.step():  # until the server has noticed that the killed one is gone
            assert time.monotonic() < deadline
            time.sleep(0.02)
        identifiers = []
        for _ in range(2):
            _, payload = ears.next()
            root: Any = etree.fromstring(payload)
            identifiers.append(root.findtext("{*}identifier"))
    assert identifiers == [alert.identifier] * 2
    publisher.publish(where, b"", retain=True, timeout_s=5)
    publisher.close()
