"""``cityos feeds``: polls the sources of every device whose adapter is a feed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final

import structlog

from cityos.bootstrap import connect
from cityos.bootstrap.process import run_until_stopped, stop_event
from cityos.clock import SystemClock
from cityos.domain import topic
from cityos.errors import Unavailable
from cityos.ingest.feed_source import FeedSource
from cityos.ingest.feeds import FeedPoller
from cityos.messaging.mqtt import LeavesOutTooLarge, MqttPublisher
from cityos.plugins.discovery import Plugins, discover
from cityos.ports import Registry
from cityos.rehearsal.recording import only_rehearses
from cityos.settings import Settings
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry

USER: Final = "feeds"
_CLIENT_ID: Final = "cityos-feeds"
_EVERY_S: Final = 300.0

_log = structlog.get_logger("feeds")


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        SystemExit: polling has died; the supervisor starts the process again.
    """
    found = connect.addresses(settings, "database_url", "mqtt_url")
    stopping = stop_event()
    database = Database(found.database_url, application="cityos-feeds", max_size=1)
    try:
        registered = RegisteredFeeds(
            settings, discover(settings=settings.plugins), PostgresRegistry(database)
        )
        sources = registered() or []
        if not sources:
            _log.info("no device of this city has a feed yet: nothing to poll")
        _poll(sources, registered, found.mqtt_url(USER), settings, stopping)
    finally:
        database.close()


def _poll(
    sources: Sequence[FeedSource],
    registered: RegisteredFeeds,
    mqtt_url: str,
    settings: Settings,
    stopping: threading.Event,
) -> None:
    # feeds and ingest start together: what is published before anybody listens would be lost
    publisher = MqttPublisher(mqtt_url, client_id=_CLIENT_ID, heard=True)
    memory = settings.home / "feeds"
    memory.mkdir(mode=0o700, exist_ok=True)
    poller = FeedPoller(
        sources,
        LeavesOutTooLarge(publisher),
        SystemClock(),
        registered=registered,
        memory=memory,
    )
    poller.start()
    try:
        run_until_stopped(
            healthy=lambda: poller.healthy,
            ready=lambda: publisher.connections > 0 or not sources,
            stopping=stopping,
        )
    finally:
        poller.stop()
        publisher.close()


class RegisteredFeeds:
    """The sources of the devices that are registered; None while they are what they were.

    Raises what ``feed_sources`` raises; a registry that is wrong is not read again before it
    changes, one that did not answer is.
    """

    def __init__(self, settings: Settings, plugins: Plugins, registry: Registry) -> None:
        self._settings = settings
        self._plugins = plugins
        self._registry = registry
        self._read_version: int | None = None

    def __call__(self) -> Sequence[FeedSource] | None:
        version = self._registry.devices_version()
        if version == self._read_version:
            return None
        self._read_version = version
        try:
            return list(feed_sources(self._settings, self._plugins, self._registry))
        except Unavailable:
            self._read_version = None
            raise


def feed_sources(settings: Settings, plugins: Plugins, registry: Registry) -> Iterator[FeedSource]:
    """Yield a source for each enabled device of the city's own with a feed adapter.

    Raises:
        InvalidPlugin: a feed breaks the contract.
        Unavailable: the registry does not answer.
    """
    for tenant in registry.tenants():
        for device in registry.devices(tenant.id):
            if not device.enabled or device.adapter not in plugins.feeds:
                continue
            if only_rehearses(device):  # its documents are those of a recording
                continue
            manifest, feed = plugins.feeds[device.adapter]
            moved = settings.feed_urls.get(device.adapter)
            yield FeedSource(
                id=f"{tenant.id}.{device.vendor}.{device.id}",
                feed=feed,
                urls=manifest.urls if moved is None else moved,
                catch_up_urls=manifest.catch_up_urls if moved is None else (),
                every_s=settings.feed_interval_s or manifest.every_s or _EVERY_S,
                topic=topic.observations(tenant.id, device.vendor, device.id),
                device=device.id,
                settings=device.settings,
            )
