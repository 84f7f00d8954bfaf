"""One source as the feeds process polls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cityos.ingest.download import origin
from cityos.plugins.contract import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSource:
    """One feed to poll: where, how often, how much, and on which topic its documents go.

    ``topic`` is the observations topic of the feed's device, ``device`` its id, ``settings`` the
    device's own for the adapter. ``catch_up_urls`` list further back than ``urls``; they are read
    at the start, and again after an outage of more than ``catch_up_after_s``. Links are followed
    to the origins (scheme, host, port) of these addresses alone. Of the new links in one document
    the last ``most_links`` are taken.

    Raises:
        InvalidRequest: an address is not HTTP.
    """

    id: str
    feed: Feed
    urls: tuple[str, ...]
    every_s: float
    topic: str
    device: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    catch_up_urls: tuple[str, ...] = ()
    catch_up_after_s: float = 300.0
    deadline_s: float = 20.0
    publish_timeout_s: float = 10.0
    max_listing_bytes: int = 16 * 1024 * 1024
    max_document_bytes: int = 1_200_000
    """The city's broker takes no larger message."""
    most_links: int = 500
    most_waiting: int = 2000
    retry_s: float = 5.0
    longest_pause_s: float = 300.0
    """JMA's listings go back ten minutes: a longer pause between two looks would lose some."""
    origins: frozenset[tuple[str, str, int]] = field(init=False)

    def __post_init__(self) -> None:
        addresses = (*self.urls, *self.catch_up_urls)
        object.__setattr__(self, "origins", frozenset(origin(url) for url in addresses))
