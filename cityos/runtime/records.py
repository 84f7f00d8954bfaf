"""Which processes a run has started, so that the next one can find those a crash left behind."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cityos.runtime.process import Child, Mark, end, is_alive


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    mark: Mark
    stop_signals: tuple[signal.Signals, ...]


class Records:
    """One file a child in the folder ``run`` of the state folder; only its owner writes there."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "run"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, child: Child) -> bool:
        """Return whether it could be written. Until then the child is on its leash alone."""
        entry = {
            "pid": child.mark.pid,
            "started": child.mark.started,
            "stop_signals": [int(number) for number in child.command.stop_signals],
        }
        path = self._folder / f"{child.name}.json"
        draft = path.with_suffix(".new")
        try:
            draft.write_text(json.dumps(entry), encoding="utf-8")
            draft.replace(path)
        except OSError:
            return False
        return True

    def forget(self, name: str) -> None:
        with suppress(OSError):  # one that stays names a process that is not there: no harm
            (self._folder / f"{name}.json").unlink()

    def living(self) -> Iterator[Record]:
        for path in sorted(self._folder.glob("*.json")):
            record = _read(path)
            if record is not None and is_alive(record.mark):
                yield record

    def clear(self, name: str, *, grace_s: float) -> bool:
        """End what an earlier run left under this name; return whether anything was.

        Raises:
            SetupFailed: it does not stop.
        """
        path = self._folder / f"{name}.json"
        record = _read(path)
        left = record is not None and end(
            record.mark, stop_signals=record.stop_signals, grace_s=grace_s
        )
        path.unlink(missing_ok=True)
        return left


def _read(path: Path) -> Record | None:
    """A file that a crash cut short names nobody."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        mark = Mark(int(entry["pid"]), str(entry["started"]))
        signals = tuple(signal.Signals(number) for number in entry["stop_signals"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Record(path.stem, mark, signals)
