"""A child's output in a file that cannot grow without end.

The child writes into a pipe, a thread here empties it. The pipe is emptied even when the disk is
full, because a child that blocks on its log would stop the city. What cannot be written is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

MAX_BYTES: Final = 4 * 1024 * 1024
"""At this size the file becomes ``NAME.1``, replacing the one before: 8 MiB a child at most."""

_TAIL_BYTES: Final = 16 * 1024
_READ_BYTES: Final = 64 * 1024
_LONGEST_LINE: Final = 256 * 1024


class BoundedLog:
    """One log file and the thread that fills it."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_BYTES,
        hear: Callable[[bytes], None] | None = None,
    ) -> None:
        """``hear`` gets every whole line, in the log's own thread."""
        self.path = path
        self._max_bytes = max_bytes
        self._hear = hear
        self._unfinished = b""
        self._thread: threading.Thread | None = None
        with suppress(OSError):  # tried again with the first line
            self._opened().close()

    def follow(self, source: IO[bytes], *, name: str) -> None:
        """Copy ``source`` to the file until it ends."""
        self._thread = threading.Thread(
            target=self._copy, args=(source,), name=f"log {name}", daemon=True
        )
        self._thread.start()

    def append(self, line: bytes) -> None:
        """Write a line of our own. What cannot be written is lost."""
        with suppress(OSError), self._rotated(self._opened()) as file:
            file.write(line)

    def close(self, timeout_s: float = 2.0) -> None:
        """Wait for the last lines of a child that has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def tail(self, lines: int) -> str:
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _copy(self, source: IO[bytes]) -> None:
        file: IO[bytes] | None = None
        with source:
            while chunk := source.read1(_READ_BYTES):  # type: ignore[attr-defined] # a BufferedReader
                try:
                    file = self._rotated(file)
                    file.write(chunk)
                except OSError:
                    file = None
                if self._hear is not None:
                    self._tell(chunk, self._hear)
        if file is not None:
            file.close()

    def _tell(self, chunk: bytes, hear: Callable[[bytes], None]) -> None:
        *lines, rest = (self._unfinished + chunk).split(b"\n")
        self._unfinished = rest[:_LONGEST_LINE]
        for line in lines:
            with suppress(Exception):  # whatever the listener's fault, the log goes on
                hear(line)

    def _rotated(self, file: IO[bytes] | None) -> IO[bytes]:
        if file is not None and file.tell() >= self._max_bytes:
            file.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            file = None
        return file or self._opened()

    def _opened(self) -> IO[bytes]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        self.path.chmod(0o600)
        return self.path.open("ab", buffering=0)
