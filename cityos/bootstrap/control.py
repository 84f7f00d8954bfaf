"""``cityos down``, ``status`` and ``logs``: looking at a running city from outside."""

from __future__ import annotations

import json
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

from cityos.bootstrap import connect
from cityos.bootstrap.city_store import absence, cities, standing
from cityos.bootstrap.welcome import cityos_command
from cityos.clock import for_people
from cityos.errors import NotFound, Unavailable
from cityos.runtime.news import SUPERVISOR
from cityos.runtime.notices import notices
from cityos.runtime.process import end
from cityos.runtime.records import Record, Records
from cityos.runtime.running import running_city
from cityos.settings import Settings
from cityos.storage.database import Database

_STOP_WITHIN_S: Final = 60.0
_LEFTOVER_S: Final = 15.0
_POLL_S: Final = 0.3
_ASK_WITHIN_S: Final = 2.0
_NOT_RUNNING: Final = 3
"""The exit code of a status command when the service is stopped (LSB 5, 20.2)."""
_FIRST: Final = ("level", "event")


def down(settings: Settings, console: Console) -> int:
    """Stop the city of this state folder and wait until it is stopped; 3 where nothing runs.

    Raises:
        SetupFailed: it belongs to another user, or does not stop.
    """
    city = running_city(settings.home)
    if city is not None:
        end(city.supervisor, stop_signals=[signal.SIGTERM], grace_s=_STOP_WITHIN_S)
    left = _records(settings.home)
    for record in left:
        end(record.mark, stop_signals=record.stop_signals, grace_s=_LEFTOVER_S)
    if city is None and not left:
        console.print(f"nothing runs in {settings.home}", soft_wrap=True)
        return _NOT_RUNNING
    console.print("stopped; the data is kept", soft_wrap=True)
    return 0


def status(settings: Settings, console: Console) -> int:
    """Print what runs; return 0 when a city does, else 3."""
    city = running_city(settings.home)
    living = _records(settings.home)
    if city is None:
        console.print(f"nothing runs in {settings.home}", soft_wrap=True)
        if living:
            names = ", ".join(record.name for record in living)
            console.print(
                f"left behind by a killed run: {names}; the next start stops them, or: "
                f"{cityos_command(settings.home)} down",
                highlight=False,
                soft_wrap=True,
            )
        return _NOT_RUNNING
    state = "running" if city.ready else "starting"
    console.print(f"{state}: {city.http_url}  (process {city.supervisor.pid})", soft_wrap=True)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("part", "process", "memory MB", "about"):
        table.add_column(title, justify="right" if title in {"process", "memory MB"} else "left")
    total_mb = _add(table, SUPERVISOR, city.supervisor.pid, "", with_children=False)
    for record in living:
        total_mb += _add(table, record.name, record.mark.pid, city.servers.get(record.name, ""))
    table.add_row("together", "", f"{total_mb:.0f}", "resident, shared pages counted once")
    console.print(table)
    if city.ready and (text := _standing(settings)):
        console.print(text, highlight=False, markup=False, soft_wrap=True)
    for record in living:
        for text in notices(settings.home, record.name):
            console.print(f"{record.name}: {text}", highlight=False, markup=False, soft_wrap=True)
    return 0


def log_lines(home: Path, name: str | None, *, lines: int, follow: bool) -> Iterator[str]:
    """Yield the last lines of one log, or of all, and with ``follow`` those that come.

    Raises:
        NotFound: there is no such log.
    """
    files = _log_files(home, name)
    ends: dict[Path, int] = {}
    for file in files:
        with file.open(encoding="utf-8", errors="replace") as text:
            for line in deque(text, maxlen=lines):
                yield _for_people(line, file.stem if name is None else "")
            ends[file] = text.tell()
    while follow:
        time.sleep(_POLL_S)
        for file in _log_files(home, name):
            size = file.stat().st_size
            if size < ends.get(file, 0):
                ends[file] = 0  # it was rotated
            with file.open(encoding="utf-8", errors="replace") as text:
                text.seek(ends.get(file, 0))
                for line in text:
                    yield _for_people(line, file.stem if name is None else "")
                ends[file] = text.tell()


def _standing(settings: Settings) -> str:
    """Whether the city practices, or what to do where there is none; nothing if nobody answers."""
    url = connect.addresses(settings, "database_url").database_url
    database = Database(url, application="cityos-status", max_size=1, timeout_s=_ASK_WITHIN_S)
    try:
        there = {city.id: city for city in cities(database)}
    except Unavailable:
        return ""
    finally:
        database.close()
    if settings.tenant in there:
        return f"city: {standing(there[settings.tenant])}"
    return f"note: {absence(settings.tenant, there)}"


def _records(home: Path) -> Sequence[Record]:
    return list(Records(home).living()) if (home / "run").is_dir() else []


def _add(table: Table, name: str, pid: int, about: str, *, with_children: bool = True) -> float:
    memory_mb = _memory_mb(pid, with_children=with_children)
    table.add_row(name, str(pid), f"{memory_mb:.0f}", about)
    return memory_mb


def _memory_mb(pid: int, *, with_children: bool) -> float:
    """Resident memory in MB; a page that n processes share counts as an nth in each."""
    try:
        process = psutil.Process(pid)
        family = [process, *(process.children(recursive=True) if with_children else ())]
    except psutil.Error:
        return 0.0
    return sum(_proportional_set(member.pid) for member in family) / 1e6


def _proportional_set(pid: int) -> int:
    """Bytes (proc(5), smaps_rollup, Pss)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    kilobytes = next((line.split()[1] for line in text.splitlines() if line.startswith("Pss:")), 0)
    return int(kilobytes) * 1024


def _log_files(home: Path, name: str | None) -> list[Path]:
    folder = home / "log"
    files = sorted(folder.glob("*.log"))
    if name is not None:
        files = [file for file in files if file.stem == name]
        if not files:
            known = ", ".join(sorted(file.stem for file in folder.glob("*.log"))) or "none yet"
            message = f"there is no log of {name!r} in {folder}; there are: {known}"
            raise NotFound(message)
    return files


def _for_people(line: str, source: str) -> str:
    """One line a JSON event: time (this machine's), level, what happened, then the rest."""
    text = line.rstrip("\n")
    try:
        event = json.loads(text)
        time = for_people(datetime.fromisoformat(event.pop("timestamp")))
        head = " ".join((time, *(str(event.pop(key)) for key in _FIRST)))
    except (ValueError, TypeError, KeyError, AttributeError):
        head, event = text, {}
    rest = " ".join(
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in event.items()
    )
    return " ".join(part for part in (f"{source:<9}" if source else "", head, rest) if part)
