"""What is prepared and waits to be stored: bounded, and taken all at once.

Messages are decoded in small portions as they come and stored in as large ones as have gathered
meanwhile: a slow store makes its own transactions larger and cheaper, a fast one keeps nobody
waiting.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from cityos.ingest.pipeline import Numbered
from cityos.ports import IngestBatch


@dataclass(frozen=True, slots=True)
class Prepared:
    """Messages with what to store for them."""

    groups: Sequence[Numbered]
    batch: IngestBatch
    size_bytes: int

    @property
    def messages(self) -> int:
        return sum(len(group.messages) for group in self.groups)


class Handover:
    """Between the thread that prepares and the thread that stores.

    It takes more while less than ``messages`` and ``size_bytes`` wait, so it holds at most that
    and a portion.
    """

    def __init__(self, messages: int, size_bytes: int) -> None:
        self._most = messages, size_bytes
        self._waiting: deque[Prepared] = deque()
        self._messages = self._values = self._size_bytes = 0
        self._changed = threading.Condition()

    @property
    def values(self) -> int:
        """How many values wait."""
        return self._values

    def wait_for_room(self, timeout_s: float) -> bool:
        """Return whether there is room, waiting for it if need be. Only one thread may put."""
        with self._changed:
            return self._changed.wait_for(self._has_room, timeout_s)

    def _has_room(self) -> bool:
        messages, size_bytes = self._most
        return self._messages < messages and self._size_bytes < size_bytes

    def put(self, prepared: Prepared) -> None:
        """Hand over what follows on what was handed over before; ``wait_for_room`` comes first."""
        with self._changed:
            self._waiting.append(prepared)
            self._messages += prepared.messages
            self._values += len(prepared.batch.values)
            self._size_bytes += prepared.size_bytes
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Prepared | None:
        """Return everything that waits as one, in its order; None if nothing comes in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, timeout_s):
                return None
            portions = list(self._waiting)
            self._waiting.clear()
            self._messages = self._values = self._size_bytes = 0
            self._changed.notify_all()
        if len(portions) == 1:
            return portions[0]
        batch = IngestBatch()
        for portion in portions:
            batch.extend(portion.batch)
        groups = [group for portion in portions for group in portion.groups]
        return Prepared(groups, batch, sum(portion.size_bytes for portion in portions))
