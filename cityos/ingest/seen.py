"""Remembers which linked documents were published, within bounds and over a restart."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import structlog

MOST_SEEN: Final = 5000
"""More than the longest listing of a source has; 5,000 addresses are about 0.5 MB."""

_log = structlog.get_logger("feeds")


class SeenLinks:
    """The addresses that were published last, the oldest forgotten first.

    ``file`` keeps them over a restart; None keeps nothing. Losing it costs repeated messages,
    which change nothing in the store.
    """

    def __init__(self, file: Path | None, *, most: int = MOST_SEEN) -> None:
        self._file = file
        self._most = most
        self._links: OrderedDict[str, None] = OrderedDict.fromkeys(self._read())
        self._changed = False

    def __contains__(self, link: str) -> bool:
        return link in self._links

    def __len__(self) -> int:
        return len(self._links)

    def add(self, link: str) -> None:
        self._links[link] = None
        self._links.move_to_end(link)
        while len(self._links) > self._most:
            self._links.popitem(last=False)
        self._changed = True

    def still_listed(self, links: Iterable[str]) -> None:
        """What a source still lists must not be forgotten before what it does not."""
        for link in links:
            if link in self._links:
                self._links.move_to_end(link)

    def save(self) -> None:
        """Write the file if there is something new; a disk that refuses is only reported."""
        if self._file is None or not self._changed:
            return
        draft = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(list(self._links)), encoding="utf-8")
            draft.replace(self._file)
        except OSError as error:
            _log.warning("cannot keep what was seen", file=str(self._file), reason=error.strerror)
        self._changed = False

    def _read(self) -> list[str]:
        if self._file is None or not self._file.exists():
            return []
        try:
            links = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            links = None
        if not isinstance(links, list) or not all(isinstance(link, str) for link in links):
            _log.warning("what was seen before cannot be read, it starts anew")
            return []
        return links[-self._most :]
