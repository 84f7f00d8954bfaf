"""The feeds process against a real HTTP server that comes, goes, dawdles and lies."""

from __future__ import annotations

import gzip
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from adapters.jma_xml.feed import JmaXml
from cityos.clock import SystemClock
from cityos.domain import topic
from cityos.domain.observation import Observation
from cityos.errors import InvalidRequest, Unavailable, Unheard
from cityos.ingest.feed_source import FeedSource
from cityos.ingest.feeds import FeedPoller
from cityos.ingest.listener import BrokerAddress, Listener
from cityos.ingest.mqtt_clients import BatchClient
from cityos.messaging.mqtt import MqttPublisher
from cityos.plugins.contract import Fetch, Receipt
from cityos.runtime.mqtt_access import INGEST
from tests.waiting import wait_until

CASES = Path(__file__).parents[2] / "adapters/jma_xml/cases"
TOPIC = topic.observations("town", "jma", "jma_xml")
TELEGRAM = (CASES / "landslide_alert_2026/input.xml").read_bytes()


@dataclass
class Page:
    """What the server answers at one path. ``drip_s`` is the pause after each byte."""

    content: bytes = b""
    status: int = 200
    etag: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    drip_s: float = 0.0
    says_length: bool = True


@dataclass
class Source:
    """A source of documents on loopback that can be switched off and on at one address."""

    pages: dict[str, Page] = field(default_factory=dict)
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)
    port: int = 0
    _server: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hits(self, path: str) -> int:
        return sum(count for (asked, _), count in self.asked.items() if asked == path)

    def come(self) -> None:
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                source.answer(self)

            def log_message(self, *_args: Any) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        page = self.pages.get(request.path, Page(status=404))
        status = page.status
        if page.etag and request.headers.get("If-None-Match") == page.etag:
            status = 304
        self.asked[request.path, status] += 1
        content = page.content if status == 200 else b""
        request.send_response(status)
        for name, value in page.headers.items():
            request.send_header(name, value)
        if page.etag:
            request.send_header("ETag", page.etag)
        if page.says_length and status != 304:
            request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        try:
            for byte in range(0, len(content), 1 if page.drip_s else len(content) or 1):
                request.wfile.write(content[byte : byte + (1 if page.drip_s else len(content))])
                request.wfile.flush()
                time.sleep(page.drip_s)
        except OSError:
            pass  # the other side has had enough, which is what is tested

    def list_telegrams(self, *numbers: int, path: str = "/feed.xml", etag: str = "") -> None:
        """Atom, as JMA writes it; telegram ``n`` is from minute ``n``."""
        entries = "".join(
            f"<entry><title>t</title><id>{self.telegram(number)}</id>"
            f"<updated>2026-09-04T03:{number:02}:00Z</updated>"
            f'<link href="{self.telegram(number)}"/></entry>'
            for number in numbers
        )
        for number in numbers:
            self.pages.setdefault(self.telegram(number).removeprefix(self.base), Page(TELEGRAM))
        atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>f</title>{entries}</feed>'
        self.pages[path] = Page(atom.encode(), etag=etag)

    def telegram(self, number: int) -> str:
        return f"{self.base}/data/2026090403{number:02}00_0_VXWW50_220000.xml"


@dataclass
class Broker:
    """A ``MessagePublisher`` that keeps what it acknowledged, or refuses."""

    got: list[tuple[str, bytes]] = field(default_factory=list)
    away: bool = False
    unheard: bool = False

    def publish(self, topic: str, payload: bytes, *, retain: bool, timeout_s: float) -> None:
        assert not retain
        assert timeout_s > 0
        if self.away:
            raise Unavailable("no connection to the broker")
        if self.unheard:  # as MqttPublisher says it
            message = f"the broker refuses to publish on {topic}: No matching subscribers"
            raise Unheard(message)
        self.got.append((topic, payload))


@dataclass
class Running:
    poller: FeedPoller
    broker: Broker
    logs: list[EventDict]

    def lines(self, *words: str) -> list[EventDict]:
        return [line for line in self.logs if all(word in line["event"] for word in words)]


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    yield source
    source.go()


@contextmanager
def polling(
    source: Source, *, feed: Any = None, memory: Path | None = None, **options: Any
) -> Iterator[Running]:
    broker = options.pop("broker", None) or Broker()
    urls = options.pop("urls", (f"{source.base}/feed.xml",))
    described = FeedSource(
        id="jma_xml",
        feed=feed or JmaXml(),
        urls=urls,
        every_s=options.pop("every_s", 0.05),
        topic=TOPIC,
        device="jma_xml",
        **{"retry_s": 0.03, "longest_pause_s": 0.1, "deadline_s": 1.0, **options},
    )
    with structlog.testing.capture_logs() as logs:
        poller = FeedPoller([described], broker, SystemClock(), memory=memory)
        poller.start()
        try:
            yield Running(poller, broker, logs)
        finally:
            poller.stop()
        assert not poller.healthy


def for_some_rounds(source: Source, path: str = "/feed.xml", rounds: int = 4) -> None:
    start = source.hits(path)
    wait_until(lambda: source.hits(path) >= start + rounds)


def test_away_at_the_start_comes_goes_comes_back_one_line_each(source: Source) -> None:
    source.list_telegrams(1, 2)
    with polling(source) as running:
        wait_until(lambda: running.lines("the source cannot be reached"))
        time.sleep(0.4)
        assert [line["source"] for line in running.lines("the source cannot be reached")] == [
            "jma_xml"
        ]
        assert running.lines("back") == []
        source.come()
        wait_until(lambda: len(running.broker.got) == 2)
        for_some_rounds(source)
        assert len(running.lines("the source is back")) == 1
        source.go()
        wait_until(lambda: len(running.lines("cannot be reached")) == 2)
        time.sleep(0.4)
        assert len(running.lines("cannot be reached")) == 2
        source.list_telegrams(1, 2, 3)
        source.come()
        wait_until(lambda: len(running.broker.got) == 3)
        for_some_rounds(source)
        assert len(running.lines("the source is back")) == 2
        assert {line["log_level"] for line in running.lines("cannot be reached")} == {"warning"}
        assert len(running.logs) == 4
    assert running.broker.got == [(TOPIC, TELEGRAM)] * 3


def test_each_telegram_is_fetched_and_published_once(source: Source) -> None:
    source.list_telegrams(1, 2, 3)
    source.come()
    with polling(source) as running:
        wait_until(lambda: len(running.broker.got) == 3)
        source.list_telegrams(2, 3, 4)
        wait_until(lambda: len(running.broker.got) == 4)
        for_some_rounds(source)
    assert [
        source.hits(f"/data/2026090403{n:02}00_0_VXWW50_220000.xml") for n in (1, 2, 3, 4)
    ] == [
        1,
        1,
        1,
        1,
    ]
    assert running.logs == []


def test_what_has_not_changed_is_not_sent_again(source: Source) -> None:
    source.list_telegrams(1, etag='"one"')
    source.come()
    with polling(source) as running:
        wait_until(lambda: source.asked["/feed.xml", 304] >= 3)
        assert source.asked["/feed.xml", 200] == 1
        source.list_telegrams(1, 2, etag='"two"')
        wait_until(lambda: len(running.broker.got) == 2)
        wait_until(lambda: source.asked["/feed.xml", 304] >= 6)
        assert source.asked["/feed.xml", 200] == 2


def test_an_oversize_telegram_is_given_up_and_its_neighbours_are_not(source: Source) -> None:
    source.list_telegrams(1, 2, 3)
    large = source.pages[source.telegram(2).removeprefix(source.base)]
    large.content = b"<Report>" + b" " * 50_000
    source.come()
    with polling(source, max_document_bytes=20_000) as running:
        wait_until(lambda: len(running.broker.got) == 2)
        for_some_rounds(source)
        [line] = running.lines("given up")
        assert line["url"] == source.telegram(2)
        assert "20000 bytes" in line["reason"]
    assert source.hits(source.telegram(2).removeprefix(source.base)) == 1


def test_a_telegram_without_a_declared_length_is_cut_off_at_the_limit(source: Source) -> None:
    source.list_telegrams(1)
    path = source.telegram(1).removeprefix(source.base)
    source.pages[path] = Page(b"x" * 5_000_000, says_length=False)
    source.come()
    with polling(source, max_document_bytes=20_000) as running:
        wait_until(lambda: running.lines("given up"))
        assert "20000 bytes" in running.logs[0]["reason"]
    assert running.broker.got == []
    assert source.hits(path) == 1


def test_one_telegram_that_cannot_be_had_holds_up_no_new_one(source: Source) -> None:
    source.list_telegrams(1)
    source.pages[source.telegram(1).removeprefix(source.base)].status = 503
    source.come()
    with polling(source, longest_pause_s=30, retry_s=30) as running:
        wait_until(lambda: running.lines("cannot be reached"))
        source.list_telegrams(1, 2)
        wait_until(lambda: running.broker.got, timeout_s=15)


def test_a_telegram_that_is_gone_is_given_up(source: Source) -> None:
    source.list_telegrams(1, 2)
    del source.pages[source.telegram(1).removeprefix(source.base)]
    source.come()
    with polling(source) as running:
        wait_until(lambda: running.broker.got)
        for_some_rounds(source)
        assert [line["reason"] for line in running.lines("given up")] == ["the server answers 404"]
    assert len(running.logs) == 1


def test_a_telegram_that_cannot_be_had_now_is_tried_again(source: Source) -> None:
    source.list_telegrams(1, 2)
    path = source.telegram(1).removeprefix(source.base)
    source.pages[path].status = 503
    source.come()
    with polling(source) as running:
        wait_until(lambda: running.broker.got)
        wait_until(lambda: source.hits(path) >= 3)
        source.pages[path].status = 200
        wait_until(lambda: len(running.broker.got) == 2)
        wait_until(lambda: running.lines("is back"))
    assert [line["event"] for line in running.logs] == [
        "the source cannot be reached",
        "the source is back",
    ]


def test_a_source_that_is_not_there_is_said_in_plain_words(source: Source) -> None:
    with polling(source) as running:
        wait_until(lambda: running.lines("cannot be reached"))
    (line,) = running.lines("cannot be reached")
    assert re.match(r"no connection to 127\.0\.0\.1: \w+", line["reason"])
    assert not re.search(r"Error|Errno", line["reason"])
    assert "CITYOS_FEEDS=false" in line["meanwhile"]


def test_a_dawdling_server_is_cut_off_at_the_deadline(source: Source) -> None:
    source.list_telegrams(1)
    source.pages["/feed.xml"].drip_s = 0.02  # each byte comes in time, the whole never does
    source.come()
    with polling(source, deadline_s=0.3) as running:
        start = time.monotonic()
        wait_until(lambda: running.lines("cannot be reached"))
        assert time.monotonic() - start < 2
        assert running.logs[0]["reason"] == "no whole answer within 0.3 s"
        source.pages["/feed.xml"].drip_s = 0
        wait_until(lambda: running.broker.got)
        wait_until(lambda: running.lines("is back"))


def test_a_dawdling_source_delays_no_other(source: Source) -> None:
    source.list_telegrams(1, path="/slow.xml")
    source.pages["/slow.xml"].drip_s = 0.2
    source.list_telegrams(2)
    source.come()
    broker = Broker()
    common = {"feed": JmaXml(), "every_s": 0.05, "topic": TOPIC, "device": "jma_xml"}
    slow = FeedSource(id="slow", urls=(f"{source.base}/slow.xml",), deadline_s=60, **common)
    quick = FeedSource(id="quick", urls=(f"{source.base}/feed.xml",), **common)
    poller = FeedPoller([slow, quick], broker, SystemClock())
    poller.start()
    wait_until(lambda: broker.got, timeout_s=15)
    start = time.monotonic()
    poller.stop()
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(source: Source, status: int) -> None:
    source.list_telegrams(1, path="/elsewhere.xml")
    source.pages["/feed.xml"] = Page(status=status, headers={"Location": "/elsewhere.xml"})
    source.come()
    with polling(source) as running:
        wait_until(lambda: running.logs)
        for_some_rounds(source)
        assert "redirect is not followed" in running.logs[0]["reason"]
    assert source.hits("/elsewhere.xml") == 0
    assert running.broker.got == []


@dataclass(frozen=True)
class Pointing:
    """A feed whose documents point where their lines say; a line with = is an observation."""

    def read(self, document: bytes, receipt: Receipt) -> list[Fetch | Observation]:
        assert receipt.received_at.tzinfo is not None
        return [
            Observation("water_level", 1.0) if "=" in line else Fetch(line)
            for line in document.decode().splitlines()
        ]


FEED = Pointing()


def test_a_link_to_another_place_is_not_followed(source: Source) -> None:
    other = Source()
    other.pages["/secret"] = Page(b"secret")
    other.come()
    links = [
        f"{other.base}/secret",
        f"http://localhost:{source.port}/secret",
        f"http://127.0.0.1:{source.port}@127.0.0.1:{other.port}/secret",
        f"https://127.0.0.1:{source.port}/secret",
        f"http://[::ffff:127.0.0.1]:{other.port}/secret",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "http://[broken",
        "//127.0.0.1/x",
        f"http://127.0.0.1:{source.port}/mine",
    ]
    source.pages["/feed.xml"] = Page("\n".join(links).encode())
    source.pages["/mine"] = Page(b"mine")
    source.pages["/secret"] = Page(b"secret")
    source.come()
    try:
        with polling(source, feed=Pointing()) as running:
            wait_until(lambda: running.broker.got)
            for_some_rounds(source)
        assert running.broker.got == [(TOPIC, b"mine")]
        assert not other.asked
        assert source.hits("/secret") == 0
        assert running.lines("links to another place are not followed")
        assert len(running.logs) <= len(links)
    finally:
        other.go()


def test_a_document_that_speaks_for_itself_is_published_when_it_changes(source: Source) -> None:
    source.pages["/feed.xml"] = Page(b"level=1")
    source.come()
    with polling(source, feed=Pointing()) as running:
        wait_until(lambda: running.broker.got)
        for_some_rounds(source)
        assert running.broker.got == [(TOPIC, b"level=1")]
        source.pages["/feed.xml"] = Page(b"level=2")
        wait_until(lambda: len(running.broker.got) == 2)
        source.pages["/feed.xml"] = Page(b"level=1")
        wait_until(lambda: len(running.broker.got) == 3)


def test_an_error_page_in_place_of_the_feed_is_a_source_that_is_away(source: Source) -> None:
    source.pages["/feed.xml"] = Page(b"<html>maintenance</html>")
    source.come()
    with polling(source) as running:
        wait_until(lambda: running.logs)
        for_some_rounds(source)
        source.list_telegrams(1)
        wait_until(lambda: running.broker.got)
        wait_until(lambda: running.lines("is back"))
    assert len(running.logs) == 2


def test_a_compressed_answer_is_refused_unopened(source: Source) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    source.pages["/feed.xml"] = Page(bomb, headers={"Content-Encoding": "gzip"})
    source.come()
    with polling(source) as running:
        wait_until(lambda: running.logs)
        assert "compressed" in running.logs[0]["reason"]


def test_a_telegram_is_kept_until_the_broker_has_it(source: Source) -> None:
    source.list_telegrams(1, 2)
    source.come()
    with polling(source, broker=Broker(away=True)) as running:
        wait_until(lambda: running.lines("the broker cannot be reached"))
        for_some_rounds(source)
        assert running.broker.got == []
        running.broker.away = False
        wait_until(lambda: len(running.broker.got) == 2)
        wait_until(lambda: running.lines("the broker is back"))
    assert len(running.logs) == 2
    assert source.hits(source.telegram(1).removeprefix(source.base)) == 1


def test_a_telegram_that_nobody_hears_is_kept_for_the_next_round(
    source: Source, tmp_path: Path
) -> None:
    source.list_telegrams(1, 2)
    source.come()
    with polling(source, broker=Broker(unheard=True), memory=tmp_path) as running:
        wait_until(lambda: running.lines("ingest does not listen"))
        for_some_rounds(source)
        assert not (tmp_path / "jma_xml.json").exists(), "nothing counts as seen"
        running.broker.unheard = False
        wait_until(lambda: len(running.broker.got) == 2)
        wait_until(lambda: running.lines("ingest listens"))
        for_some_rounds(source)
    assert len(running.broker.got) == 2
    assert [line["log_level"] for line in running.logs] == ["info", "info"]
    assert source.hits(source.telegram(1).removeprefix(source.base)) == 1


def test_nobody_who_hears_is_another_thing_than_no_broker(source: Source) -> None:
    source.list_telegrams(1)
    source.come()
    with polling(source, broker=Broker(away=True)) as running:
        wait_until(lambda: running.lines("the broker cannot be reached"))
        running.broker.unheard, running.broker.away = True, False
        wait_until(lambda: running.lines("ingest does not listen"))
        assert running.lines("the broker is back")
        running.broker.unheard = False
        wait_until(lambda: running.broker.got)
        wait_until(lambda: running.lines("ingest listens"))
    assert len(running.logs) == 4


def test_what_is_published_before_ingest_first_listens_reaches_it(
    source: Source, start_own_broker: Callable[..., Any]
) -> None:
    broker = start_own_broker()
    publisher = MqttPublisher(broker.url_for("feeds"), client_id="early", heard=True)
    listener = Listener(BatchClient("late"), BrokerAddress.of(broker.url_for(INGEST.name)))
    try:
        try:
            publisher.publish(TOPIC, b"x", retain=False, timeout_s=5)
            pytest.skip("this broker does not say that nobody listens")
        except Unavailable:
            pass
        source.list_telegrams(1)
        source.come()
        with polling(source, broker=publisher) as running:
            wait_until(lambda: running.lines("ingest does not listen"))
            arrived: list[Any] = []
            end = time.monotonic() + 10
            while not arrived and time.monotonic() < end:
                came = listener.wait(0.1)
                arrived += [message for arrival in came for message in arrival.messages]
                listener.acknowledge(came)
            wait_until(lambda: running.lines("ingest listens"))
        assert arrived == [(TOPIC.encode(), TELEGRAM)]
        assert source.hits(source.telegram(1).removeprefix(source.base)) == 1
    finally:
        publisher.close()
        listener.stop()


class Registered:
    """The sources as they are registered now; None while that is what was said before."""

    def __init__(self) -> None:
        self.news: list[list[FeedSource] | Exception] = []

    def __call__(self) -> list[FeedSource] | None:
        said = self.news.pop() if self.news else None
        if isinstance(said, Exception):
            raise said
        return said


def test_a_source_that_is_registered_later_is_polled_and_one_that_went_is_not(
    source: Source,
) -> None:
    source.pages["/first"] = Page(b"first=1")
    source.pages["/second"] = Page(b"second=1")
    source.come()

    def described(path: str, **options: Any) -> FeedSource:
        common = {"feed": FEED, "every_s": 0.05, "topic": TOPIC, "device": path, **options}
        return FeedSource(id=path, urls=(f"{source.base}/{path}",), **common)

    registered, broker = Registered(), Broker()
    with structlog.testing.capture_logs() as logs:
        poller = FeedPoller(
            [], broker, SystemClock(), registered=registered, registered_every_s=0.05
        )
        poller.start()
        registered.news.append([described("first")])
        wait_until(lambda: broker.got == [(TOPIC, b"first=1")])
        registered.news.append(Unavailable("the database does not answer"))
        registered.news.append(InvalidRequest("no address"))
        wait_until(lambda: not registered.news)
        for_some_rounds(source, "/first")
        registered.news.append([described("first"), described("second")])
        wait_until(lambda: len(broker.got) == 2)
        for_some_rounds(source, "/first")
        assert len(broker.got) == 2, "what did not change goes on as it was"
        registered.news.append([described("second", topic="moved")])
        wait_until(lambda: broker.got[2:] == [("moved", b"second=1")])
        asked = source.hits("/first")
        for_some_rounds(source, "/second")
        assert source.hits("/first") == asked
        assert poller.healthy
        poller.stop()
    assert [(line["event"], line.get("source")) for line in logs] == [
        ("a feed is polled from now on", "first"),
        ("what was registered cannot be polled", None),
        ("a feed is polled from now on", "second"),
        ("a feed is no longer polled", "first"),
        ("a feed is no longer polled", "second"),
        ("a feed is polled from now on", "second"),
    ]


def test_a_restart_publishes_nothing_again(source: Source, tmp_path: Path) -> None:
    source.list_telegrams(1, 2)
    source.come()
    with polling(source, memory=tmp_path / "feeds") as running:
        wait_until(lambda: len(running.broker.got) == 2)
        for_some_rounds(source)
    source.list_telegrams(1, 2, 3)
    with polling(source, memory=tmp_path / "feeds") as running:
        wait_until(lambda: running.broker.got)
        for_some_rounds(source)
    assert len(running.broker.got) == 1


def test_a_start_without_memory_is_no_flood(source: Source) -> None:
    source.list_telegrams(*range(50))
    source.come()
    with polling(source, most_links=5) as running:
        wait_until(lambda: len(running.broker.got) == 5)
        for_some_rounds(source)
        [line] = running.lines("passed over")
        assert line["count"] == 45
    assert len(running.broker.got) == 5
    assert source.hits(source.telegram(49).removeprefix(source.base)) == 1
    assert source.hits(source.telegram(44).removeprefix(source.base)) == 0


def test_what_finds_no_room_is_taken_up_later(source: Source) -> None:
    source.list_telegrams(*range(20))
    source.come()
    with polling(source, most_waiting=6) as running:
        wait_until(lambda: len(running.broker.got) == 20)
        for_some_rounds(source)
    assert len(running.broker.got) == 20


def test_catching_up_at_the_start_and_after_a_long_outage(source: Source) -> None:
    source.list_telegrams(1, 2, 3, path="/long.xml")
    source.list_telegrams(3)
    source.come()
    options = {"catch_up_urls": (f"{source.base}/long.xml",), "catch_up_after_s": 0.3}
    with polling(source, **options) as running:
        wait_until(lambda: len(running.broker.got) == 3)
        for_some_rounds(source)
        assert source.hits("/long.xml") == 1
        source.go()
        wait_until(lambda: running.lines("cannot be reached"))
        time.sleep(0.5)
        source.list_telegrams(2, 3, 4, path="/long.xml")
        source.come()
        wait_until(lambda: len(running.broker.got) == 4)
        for_some_rounds(source)
    assert source.hits("/long.xml") == 2


def test_a_faulty_adapter_is_said_and_does_not_end_the_process(source: Source) -> None:
    class Faulty:
        def read(self, document: bytes, receipt: Receipt) -> list[Fetch]:
            raise KeyError(document, receipt)

    source.list_telegrams(1)
    source.come()
    with polling(source, feed=Faulty()) as running:
        wait_until(lambda: running.lines("adapter failed"))
        for_some_rounds(source)
        assert running.poller.healthy


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "https://", "ftp://example.jp/x", "http://me:pw@example.jp/"]
)
def test_an_address_that_is_no_source(url: str) -> None:
    with pytest.raises(InvalidRequest):
        FeedSource(id="x", feed=JmaXml(), urls=(url,), every_s=60, topic=TOPIC, device="x")


def test_telegrams_arrive_over_a_real_broker(source: Source, mqtt_broker: Any) -> None:
    source.list_telegrams(1, 2, 3)
    source.come()
    states: list[bool] = []
    listener = Listener(
        BatchClient("feeds-test"),
        BrokerAddress.of(mqtt_broker.url_for(INGEST.name)),
        on_state=lambda up, _why: states.append(up),
    )
    publisher = MqttPublisher(mqtt_broker.url_for("feeds"), client_id="feeds-test-publisher")
    try:
        wait_until(lambda: not listener.wait(0.1) and states == [True])
        with polling(source, broker=publisher):
            arrived: list[Any] = []
            end = time.monotonic() + 10
            while len(arrived) < 3 and time.monotonic() < end:
                came = listener.wait(0.1)
                arrived += [message for arrival in came for message in arrival.messages]
                listener.acknowledge(came)
        assert arrived == [(TOPIC.encode(), TELEGRAM)] * 3
    finally:
        publisher.close()
        listener.stop()
