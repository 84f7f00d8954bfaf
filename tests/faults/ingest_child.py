"""``cityos ingest`` as a child process that can be told to die at a named place.

    python -m tests.faults.ingest_child CONFIG.json

CONFIG holds the fields of IngestConfig, and ``die_at``: {"after_commit": 3} kills the process
the third time it comes by there, as SIGKILL does: nothing is closed, nothing is flushed. With
``first_start`` it says that it has started when the broker has a session for it, else at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from cityos.bootstrap.ingest import IngestConfig, IngestProcess
from cityos.bootstrap.process import run_until_stopped
from cityos.plugins.discovery import discover
from tests.waiting import wait_until


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    config = json.loads(Path(sys.argv[1]).read_text())
    die_at: dict[str, int] = config.pop("die_at", {})
    first_start: bool = config.pop("first_start", True)
    passed: Counter[str] = Counter()

    def failpoint(name: str) -> None:
        passed[name] += 1
        if passed[name] == die_at.get(name):
            os.kill(os.getpid(), signal.SIGKILL)

    config["spool"] = Path(config["spool"])
    process = IngestProcess(IngestConfig(**config), discover(), CollectorRegistry(), failpoint)
    process.start()
    if first_start:
        wait_until(lambda: process.ready)
    sys.stdout.write("started\n")
    sys.stdout.flush()
    run_until_stopped(healthy=lambda: process.healthy)
    process.stop()


if __name__ == "__main__":
    main()
