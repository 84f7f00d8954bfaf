"""Writes messages as a recording that can be replayed: a file that is whole, or not there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from cityos.domain import topic
from cityos.errors import Conflict, InvalidRequest, SetupFailed
from cityos.rehearsal.readers.recorded_lines import LONGEST_LINE, recorded_line
from cityos.rehearsal.recording import Recorded


@dataclass(slots=True)
class Written:
    """What was written; ``too_long`` are messages that no line of a recording holds."""

    messages: int = 0
    devices: set[tuple[str, str]] = field(default_factory=set)
    too_long: int = 0


def check_target(target: Path, *, force: bool) -> None:
    """See that the recording may be written there.

    Raises:
        Conflict: there is a file already, and it is not to be replaced.
        InvalidRequest: it can be no file.
    """
    if not target.parent.is_dir():
        message = f"there is no folder {target.parent} to write {target.name} to; make it first"
        raise InvalidRequest(message, parameter="file")
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_file():
        message = f"{target} is there and is no file; choose another name"
        raise InvalidRequest(message, parameter="file")
    if not force:
        message = f"{target} is there already; choose another name, or replace it with --force"
        raise Conflict(message)


def write(target: Path, messages: Iterable[Recorded], *, tenant: str, force: bool) -> Written:
    """Write the messages in their order; return what there was. Of nothing no file is made.

    Raises:
        Conflict, InvalidRequest: as ``check_target``.
        SetupFailed: the disk does not take it; nothing is left there.
    """
    check_target(target, force=force)
    written = Written()
    try:
        with _draft(target) as (path, file):
            for message in messages:
                where = topic.observations(tenant, message.vendor, message.device)
                line = recorded_line(message.time, where, message.payload)
                if len(line) > LONGEST_LINE:
                    written.too_long += 1
                    continue
                file.write(line)
                written.messages += 1
                written.devices.add((message.vendor, message.device))
            file.flush()
            os.fsync(file.fileno())
            if written.messages:
                check_target(target, force=force)  # it took a while
                path.replace(target)
                _sync_folder(target.parent)
    except OSError as error:
        why = error.strerror or type(error).__name__
        refusal = f"{target} could not be written: {why}; mend that, or choose another place"
        raise SetupFailed(refusal) from error
    return written


@contextmanager
def _draft(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A file beside the target, gone in the end unless it was renamed.

    Its name starts with a dot: a replay of the folder passes it over.
    """
    path = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with path.open("wb") as file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
