"""Over TLS: every message arrives, and a broker that nobody vouches for is not spoken to."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cityos.errors import Unavailable
from cityos.ingest.listener import BrokerAddress, Listener
from cityos.ingest.mqtt_clients import BatchClient, SessionClient, StockClient
from cityos.messaging.mqtt import MqttPublisher
from cityos.runtime import ports, programs
from tests.waiting import wait_until

MESSAGES = 150
PAYLOAD_BYTES = 9000
"""Twice as many of them make many records of TLS, which gives at most 16 KiB at a time."""


@dataclass(frozen=True)
class TlsBroker:
    url: str
    certificate: Path


@pytest.fixture
def tls_broker(
    new_home: Callable[[], Path], broker_programs: list[programs.Program]
) -> Iterator[TlsBroker]:
    openssl = shutil.which("openssl")
    mosquitto = next((one for one in broker_programs if one.path.name == "mosquitto"), None)
    if openssl is None or mosquitto is None:
        pytest.skip("needs mosquitto, and openssl for a certificate of the test's own")
    home, port = new_home(), ports.free_port()
    key, certificate, settings = home / "key.pem", home / "certificate.pem", home / "tls.conf"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    key.chmod(0o644)  # the broker steps down from root before it reads it
    home.chmod(0o755)
    settings.write_text(
        f"listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n"
        "allow_anonymous true\nmax_inflight_messages 1000\n"
    )
    broker = subprocess.Popen([mosquitto.path, "-c", settings], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port))
        yield TlsBroker(f"mqtts://127.0.0.1:{port}", certificate)
    finally:
        broker.terminate()
        broker.wait(10)


@pytest.mark.parametrize("make", [BatchClient, StockClient])
def test_every_message_arrives_once(
    tls_broker: TlsBroker, make: Callable[[str], SessionClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_broker.certificate))
    hears: list[bool] = []
    listener = Listener(
        make("over-tls"),
        BrokerAddress.of(tls_broker.url),
        on_state=lambda up, _why: hears.append(up),
    )
    wait_until(lambda: not listener.wait(0.05) and hears == [True])
    publisher = MqttPublisher(tls_broker.url, client_id="over-tls-vendor")
    sent = [b"%d" % number * (PAYLOAD_BYTES // 3) for number in range(100, 100 + MESSAGES)]
    for payload in sent[: MESSAGES // 2]:
        publisher.publish("cityos/v1/t/v/d/observations", payload, retain=False, timeout_s=10)
    came = [message for one in listener.wait(0.5) for message in one.messages]
    for payload in sent[MESSAGES // 2 :]:  # what is not taken gathers in the connection
        publisher.publish("cityos/v1/t/v/d/observations", payload, retain=False, timeout_s=10)

    def all_came() -> bool:
        arrivals = listener.wait(0.1)
        listener.acknowledge(arrivals)
        came.extend(message for one in arrivals for message in one.messages)
        return len(came) >= MESSAGES

    wait_until(all_came)
    publisher.close()
    listener.stop()
    assert [payload for _, payload in came] == sent


# paho lets go of the socket of a failed handshake without closing it; the collector closes it
@pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_broker_that_nobody_vouches_for_is_not_spoken_to(
    tls_broker: TlsBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = tmp_path / "nobody.pem"
    nobody.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(nobody))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    states: list[tuple[bool, str]] = []
    listener = Listener(
        BatchClient("distrustful"),
        BrokerAddress.of(tls_broker.url),
        on_state=lambda up, why: states.append((up, why)),
    )
    assert list(listener.wait(1)) == []
    listener.stop()
    ((up, why),) = states
    assert not up
    assert "certificate" in why.lower()
    publisher = MqttPublisher(tls_broker.url, client_id="distrustful")
    with pytest.raises(Unavailable, match="no connection"):
        publisher.publish("cityos/v1/t/v/d/observations", b"{}", retain=False, timeout_s=1)
    publisher.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
