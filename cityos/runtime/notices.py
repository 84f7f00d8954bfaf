"""What a running process has to say to an operator until it is over, for ``cityos status``."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_SUFFIX: Final = ".notices"


class Notices:
    """One file a process, beside its record in the folder ``run`` of the state folder.

    A disk that does not take it costs nothing but the notice: the log has the same.
    """

    def __init__(self, home: Path, name: str) -> None:
        self._path = _path(home, name)
        self._texts: dict[str, str] = {}
        self._lock = threading.Lock()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)  # an earlier run's

    def put(self, subject: str, text: str) -> None:
        """Show the text in the place of an earlier one of this subject; an empty one is none."""
        with self._lock, suppress(OSError):
            self._texts[subject] = text
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._path.with_suffix(".draft")
            draft.write_text(json.dumps([one for one in self._texts.values() if one]))
            draft.replace(self._path)


def notices(home: Path, name: str) -> Sequence[str]:
    """What the process of this name has to say."""
    try:
        return [str(text) for text in json.loads(_path(home, name).read_text())]
    except (OSError, ValueError, TypeError):
        return []


def _path(home: Path, name: str) -> Path:
    return home / "run" / f"{name}{_SUFFIX}"
