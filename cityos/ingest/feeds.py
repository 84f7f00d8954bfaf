"""The feeds process: asks each source when it is due, and publishes what it has on MQTT.

A polled document either points to others (the feed's ``read`` yields ``Fetch``): those are
fetched, each once, and published; or it says something itself: then it is published. Ingest reads
them from the broker like everything else. A document counts as done when the broker has
acknowledged it and, where the broker says so, had somebody to give it to. What is published twice
(after a restart without memory, say) changes nothing.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from cityos.errors import CityOSError, Unavailable
from cityos.ingest.download import Downloader, http_downloader
from cityos.ingest.feed_source import FeedSource
from cityos.ingest.feed_task import FeedTask
from cityos.ingest.seen import SeenLinks
from cityos.ingest.source_watch import SourceWatch
from cityos.ports import Clock, MessagePublisher

_JOIN_S: Final = 15.0

_log = structlog.get_logger("feeds")

_Polled: TypeAlias = dict[str, tuple[FeedSource, asyncio.Task[None]]]


class FeedPoller:
    """Polls all sources, each in its own time: a slow one delays no other.

    ``registered`` is asked every so often: it gives all sources anew, None if nothing has changed.
    ``memory`` is a folder for what was seen, None keeps nothing over a restart. ``jitter`` gives
    numbers from 0 to 1, so that many cities do not ask in the same second.
    """

    def __init__(
        self,
        sources: Sequence[FeedSource],
        publisher: MessagePublisher,
        clock: Clock,
        *,
        registered: Callable[[], Sequence[FeedSource] | None] = lambda: None,
        registered_every_s: float = 60.0,
        memory: Path | None = None,
        downloader: Callable[[], AbstractAsyncContextManager[Downloader]] = http_downloader,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._sources = sources
        self._registered = registered
        self._registered_every_s = registered_every_s
        self._publisher = publisher
        self._clock = clock
        self._memory = memory
        self._downloader = downloader
        self._jitter = jitter
        self._broker = SourceWatch("the broker", clock)
        self._listener = SourceWatch(
            "ingest",
            clock,
            away="does not listen yet, what was fetched waits for it",
            back="listens",
            usual=True,  # both start together
        )
        self._stopping = threading.Event()
        self._wake: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, name="feeds", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End soon; what was not acknowledged by the broker is fetched again next time."""
        self._stopping.set()
        self._wake()
        self._thread.join(_JOIN_S)

    @property
    def healthy(self) -> bool:
        """Whether the polling goes on; if not, the process must be started again."""
        return self._thread.is_alive()

    def _run(self) -> None:
        asyncio.run(self._poll())

    async def _poll(self) -> None:
        async with self._downloader() as downloader, asyncio.TaskGroup() as group:
            stopped = group.create_task(self._told_to_stop())
            polled: _Polled = {
                source.id: (source, group.create_task(self._task(source, downloader).run()))
                for source in self._sources
            }
            while not (await asyncio.wait([stopped], timeout=self._registered_every_s))[0]:
                sources = await asyncio.to_thread(self._look_at_registry)
                if sources is None:
                    continue
                wanted = {source.id: source for source in sources}
                await self._end([p for p in polled.values() if wanted.get(p[0].id) != p[0]])
                polled = {name: p for name, p in polled.items() if not p[1].done()}
                for source in sources:
                    if source.id not in polled:
                        task = group.create_task(self._task(source, downloader).run())
                        polled[source.id] = source, task
                        _log.info("a feed is polled from now on", source=source.id)
            for _, task in polled.values():
                task.cancel()

    def _look_at_registry(self) -> Sequence[FeedSource] | None:
        try:
            return self._registered()
        except Unavailable:  # others say that the store is away; what is known is polled on
            return None
        except CityOSError as error:
            _log.error("what was registered cannot be polled", reason=str(error))
            return None

    async def _end(self, polled: Sequence[tuple[FeedSource, asyncio.Task[None]]]) -> None:
        for source, task in polled:
            task.cancel()
            await asyncio.wait([task])  # one that takes its place uses the same memory
            self._broker.forget(source.id)
            self._listener.forget(source.id)
            _log.info("a feed is no longer polled", source=source.id)

    async def _told_to_stop(self) -> None:
        """Return when ``stop`` was called, in whichever thread."""
        told, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(told.set)

        self._wake = wake
        if self._stopping.is_set():  # before there was anything to wake
            return
        await told.wait()

    def _task(self, source: FeedSource, downloader: Downloader) -> FeedTask:
        file = None if self._memory is None else self._memory / f"{source.id}.json"
        return FeedTask(
            source,
            downloader=downloader,
            publisher=self._publisher,
            broker=self._broker,
            listener=self._listener,
            seen=SeenLinks(file),
            clock=self._clock,
            jitter=self._jitter,
        )
