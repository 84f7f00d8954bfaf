"""Polls one source: looks at its listings when they are due, delivers what they point to."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import structlog

from cityos.domain.alert import Bulletin
from cityos.domain.observation import Observation
from cityos.errors import InvalidRequest, NotFound, Rejected, Unavailable, Unheard
from cityos.ingest.download import NO_VALIDATORS, Document, Downloader, Validators, origin
from cityos.ingest.feed_source import FeedSource
from cityos.ingest.seen import SeenLinks
from cityos.ingest.source_watch import SourceWatch
from cityos.plugins.contract import Fetch, Receipt
from cityos.ports import Clock, MessagePublisher

_SHORTEST_PAUSE_S: Final = 0.02
_MOST_ATTEMPTS: Final = 20
"""With the pauses between them more than an hour: then a document is given up."""
_FAILURES_IN_A_ROW: Final = 2
"""One document may be broken at the source; a second says that the source is."""

_log = structlog.get_logger("feeds")


@dataclass(slots=True)
class _Look:
    """One address that is polled. ``digest`` is that of the content that was dealt with last."""

    url: str
    is_catch_up: bool
    due_s: float = -math.inf
    failures: int = 0
    validators: Validators = NO_VALIDATORS
    digest: bytes = b""


@dataclass(slots=True)
class _Waiting:
    """What has to be published. ``content`` None: it has to be fetched first."""

    url: str
    content: bytes | None = None
    attempts: int = 0
    due_s: float = -math.inf


class _Delivery(Enum):
    DONE = auto()
    LATER = auto()
    NOT_TAKEN = auto()


class FeedTask:
    """The polling of one source. What waits is bounded; what is new goes before catching up."""

    def __init__(
        self,
        source: FeedSource,
        *,
        downloader: Downloader,
        publisher: MessagePublisher,
        broker: SourceWatch,
        listener: SourceWatch,
        seen: SeenLinks,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._source = source
        self._downloader = downloader
        self._publisher = publisher
        self._broker = broker
        self._listener = listener
        self._seen = seen
        self._clock = clock
        self._jitter = jitter
        self._watch = SourceWatch(
            "the source",
            clock,
            source=source.id,
            meanwhile=f"nothing new comes from the feed {source.id}: the city runs without it and"
            " keeps trying; where no internet is meant to be, CITYOS_FEEDS=false ends that, else"
            " see whether this machine gets there",
        )
        self._looks = [
            *(_Look(url, is_catch_up=False) for url in source.urls),
            *(_Look(url, is_catch_up=True) for url in source.catch_up_urls),
        ]
        self._news: OrderedDict[str, _Waiting] = OrderedDict()
        self._older: OrderedDict[str, _Waiting] = OrderedDict()
        self._deliver_from_s = -math.inf
        self._refused_origins: set[str] = set()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            for look in self._looks:
                if look.due_s <= self._clock.monotonic_s():
                    await self._look(look)
            await self._deliver()
            self._seen.save()
            await asyncio.sleep(self._pause_s())

    # --- listings ----------------------------------------------------------------------------

    async def _look(self, look: _Look) -> None:
        source = self._source
        try:
            document = await self._downloader.get(
                look.url,
                validators=look.validators,
                max_bytes=source.max_listing_bytes,
                deadline_s=source.deadline_s,
            )
            if document is not None:
                await self._deal_with(look, document)
        except (Unavailable, NotFound, Rejected) as error:
            self._missed(look, str(error))
        except Exception:  # noqa: BLE001 - an adapter's fault must not end the polling
            _log.exception("the feed's adapter failed", source=source.id, url=look.url)
            self._missed(look, "the feed's adapter failed")
        else:
            self._found(look)

    async def _deal_with(self, look: _Look, document: Document) -> None:
        digest = hashlib.sha256(document.content).digest()
        if digest != look.digest:
            receipt = Receipt(
                source=look.url,
                device=self._source.device,
                received_at=self._clock.now(),
                content_type=document.content_type,
                settings=self._source.settings,
            )
            # a long listing takes a while to read: the other sources go on meanwhile
            items = await asyncio.to_thread(self._read, document.content, receipt)
            if not self._take(look, document.content, items):
                return  # there was no room for all: it is read again next time
        look.digest, look.validators = digest, document.validators

    def _read(self, content: bytes, receipt: Receipt) -> list[Observation | Bulletin | Fetch]:
        return list(self._source.feed.read(content, receipt))

    def _take(
        self, look: _Look, content: bytes, items: Sequence[Observation | Bulletin | Fetch]
    ) -> bool:
        """Put what is new into the queue; return whether there was room for all of it."""
        links = list(dict.fromkeys(item.url for item in items if isinstance(item, Fetch)))
        if len(links) < len(items) and any(not isinstance(item, Fetch) for item in items):
            self._news[look.url] = _Waiting(look.url, content)
        self._seen.still_listed(links)
        new = [link for link in links if self._is_new(link)]
        passed_over = new[: -self._source.most_links]
        for link in passed_over:
            self._seen.add(link)
        if passed_over:
            _log.info(
                "older documents are passed over",
                source=self._source.id,
                url=look.url,
                count=len(passed_over),
            )
        new = new[-self._source.most_links :]
        queue = self._older if look.is_catch_up else self._news
        room = self._source.most_waiting - len(self._news) - len(self._older)
        for link in new[: max(room, 0)]:
            queue[link] = _Waiting(link)
        return len(new) <= room

    def _is_new(self, link: str) -> bool:
        if link in self._seen or link in self._news or link in self._older:
            return False
        try:
            place = origin(link)
        except InvalidRequest:
            place = None
        if place in self._source.origins:
            return True
        name = "" if place is None else place[1]
        if name not in self._refused_origins and len(self._refused_origins) < _MOST_ATTEMPTS:
            self._refused_origins.add(name)
            _log.warning(
                "links to another place are not followed", source=self._source.id, link=link[:200]
            )
        return False

    def _missed(self, look: _Look, reason: str) -> None:
        look.failures += 1
        look.due_s = self._clock.monotonic_s() + self._backoff_s(look.failures)
        self._watch.failed(look.url, reason)

    def _found(self, look: _Look) -> None:
        look.failures = 0
        away_s = self._watch.works(look.url)
        now_s = self._clock.monotonic_s()
        pause_s = self._source.every_s * (0.9 + 0.2 * self._jitter())
        look.due_s = math.inf if look.is_catch_up else now_s + pause_s
        if away_s > self._source.catch_up_after_s:
            for other in self._looks:
                if other.is_catch_up:
                    other.due_s = now_s

    # --- documents ---------------------------------------------------------------------------

    async def _deliver(self) -> None:
        """Deliver what waits, until a look is due or two in a row cannot be had."""
        if self._clock.monotonic_s() < self._deliver_from_s:
            return
        failures = 0
        for waiting in self._due():
            delivery = await self._deliver_one(waiting)
            if delivery is _Delivery.DONE:
                failures = 0
                for queue in (self._news, self._older):
                    if queue.get(waiting.url) is waiting:
                        del queue[waiting.url]
            elif delivery is _Delivery.LATER:
                failures += 1
                waiting.due_s = self._clock.monotonic_s() + self._backoff_s(waiting.attempts)
            if delivery is _Delivery.NOT_TAKEN or failures >= _FAILURES_IN_A_ROW:
                # short, whatever failed before: something urgent may come next
                self._deliver_from_s = self._clock.monotonic_s() + self._backoff_s(1)
                return
            if self._next_look_s() <= self._clock.monotonic_s():
                return

    def _due(self) -> list[_Waiting]:
        now_s = self._clock.monotonic_s()
        return [
            waiting
            for queue in (self._news, self._older)
            for waiting in queue.values()
            if waiting.due_s <= now_s
        ]

    async def _deliver_one(self, waiting: _Waiting) -> _Delivery:
        is_link = waiting.content is None or waiting.attempts > 0
        content = waiting.content
        if content is None:
            waiting.attempts += 1
            try:
                document = await self._downloader.get(
                    waiting.url,
                    validators=NO_VALIDATORS,
                    max_bytes=self._source.max_document_bytes,
                    deadline_s=self._source.deadline_s,
                )
            except Unavailable as error:
                if waiting.attempts < _MOST_ATTEMPTS:
                    self._watch.failed(waiting.url, str(error))
                    return _Delivery.LATER
                return self._give_up(waiting, str(error))
            except (NotFound, Rejected, InvalidRequest) as error:
                return self._give_up(waiting, str(error))
            self._watch.works(waiting.url)
            if document is None:
                return self._give_up(waiting, "the server answers 304 to a first request")
            content = document.content
        if not await self._publish(content):
            waiting.content = content
            return _Delivery.NOT_TAKEN
        if is_link:
            self._seen.add(waiting.url)
        return _Delivery.DONE

    def _give_up(self, waiting: _Waiting, reason: str) -> _Delivery:
        _log.warning(
            "a document is given up", source=self._source.id, url=waiting.url[:200], reason=reason
        )
        self._watch.works(waiting.url)
        self._seen.add(waiting.url)
        return _Delivery.DONE

    async def _publish(self, content: bytes) -> bool:
        source = self._source
        try:
            await asyncio.to_thread(
                self._publisher.publish,
                source.topic,
                content,
                retain=False,
                timeout_s=source.publish_timeout_s,
            )
        except Unavailable as error:
            if not isinstance(error, Unheard):
                self._broker.failed(source.id, str(error))
                return False
            self._broker.works(source.id)
            self._listener.failed(source.id, str(error))
            return False
        self._broker.works(source.id)
        self._listener.works(source.id)
        return True

    # --- time --------------------------------------------------------------------------------

    def _backoff_s(self, failures: int) -> float:
        """Twice as long each time, a quarter more or less."""
        pause_s: float = self._source.retry_s * 2.0 ** min(failures - 1, 20)
        return min(pause_s, self._source.longest_pause_s) * (0.75 + 0.5 * self._jitter())

    def _next_look_s(self) -> float:
        return min((look.due_s for look in self._looks), default=math.inf)

    def _pause_s(self) -> float:
        next_s = self._next_look_s()
        for queue in (self._news, self._older):
            for waiting in queue.values():
                next_s = min(next_s, max(waiting.due_s, self._deliver_from_s))
        wait_s = next_s - self._clock.monotonic_s()
        return min(max(wait_s, _SHORTEST_PAUSE_S), self._source.longest_pause_s)
