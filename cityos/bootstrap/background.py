"""``cityos up --detach``: the same supervisor, without a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

_SETTLE_S: Final = 5.0
_STDOUT: Final = 1
_STDERR: Final = 2


def start(arguments: Sequence[str], output: IO[str]) -> int:
    """Start ``cityos`` with these arguments in the background; print what it says until ready.

    Return its exit code when it ends before it is ready, else 0.
    """
    detached = [*(word for word in arguments if word != "--detach"), "--background"]
    child = subprocess.Popen(  # noqa: S603 - this program, by its own name
        [sys.executable, "-m", "cityos", *detached],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    ready = False
    if child.stdout is not None:
        for line in child.stdout:
            output.write(line)
            output.flush()
            ready = ready or line.startswith("ready: ")
    if ready:
        child.returncode = 0  # it lives on; nobody waits for it any more
        return 0
    return child.wait(timeout=_SETTLE_S)


def leave(log: Path) -> None:
    """Let go of the terminal. News is in the log anyway; what ends us would be said there, too."""
    sys.stdout.flush()
    sys.stderr.flush()
    for descriptor, path, mode in (
        (_STDOUT, Path(os.devnull), os.O_WRONLY),
        (_STDERR, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
