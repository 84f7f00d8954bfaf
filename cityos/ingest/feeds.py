"""The feeds process: asks each source when it is due, and publishes what it has on MQTT.

A polled document either points to others (the feed's ``read`` yields ``Fetch``): those are
fetched, each once, and published; or it says something itself: then it is published. Ingest reads
them from the broker like everything else. A document counts as done when the broker has
acknowledged it. What is published twice (after a restart without memory, say) changes nothing.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Final

from cityos.ingest.download import Downloader, http_downloader
from cityos.ingest.feed_source import FeedSource
from cityos.ingest.feed_task import FeedTask
from cityos.ingest.seen import SeenLinks
from cityos.ingest.source_watch import SourceWatch
from cityos.ports import Clock, MessagePublisher

_JOIN_S: Final = 15.0


class FeedPoller:
    """Polls all sources, each in its own time: a slow one delays no other.

    ``memory`` is a folder for what was seen, None keeps nothing over a restart. ``jitter`` gives
    numbers from 0 to 1, so that many cities do not ask in the same second.
    """

    def __init__(
        self,
        sources: Sequence[FeedSource],
        publisher: MessagePublisher,
        clock: Clock,
        *,
        memory: Path | None = None,
        downloader: Callable[[], AbstractAsyncContextManager[Downloader]] = http_downloader,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._sources = sources
        self._publisher = publisher
        self._clock = clock
        self._memory = memory
        self._downloader = downloader
        self._jitter = jitter
        self._broker = SourceWatch("the broker", clock)
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
            tasks = [
                group.create_task(self._task(source, downloader).run(), name=source.id)
                for source in self._sources
            ]
            await self._told_to_stop()
            for task in tasks:
                task.cancel()

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
            seen=SeenLinks(file),
            clock=self._clock,
            jitter=self._jitter,
        )
