"""What the whole embedded city holds in memory when nothing happens."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.stage import ROOT

_SETTLE_S = 20.0
_MIB = 1024 * 1024


def embedded_city_mb() -> dict[str, float]:
    """Memory by process in MiB, shared pages counted once (PSS), from the wheels' programs."""
    with tempfile.TemporaryDirectory(prefix="cityos-rest-") as folder:
        Path(folder).chmod(0o711)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CITYOS_")}
        environment |= {"CITYOS_HOME": f"{folder}/city", "CITYOS_FEEDS": "false"}
        city = subprocess.Popen(
            [sys.executable, "-m", "cityos", "up", "--demo"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert city.stdout is not None
        for line in city.stdout:
            if line.startswith("ready: "):
                break
        else:
            raise AssertionError("the city did not start")
        time.sleep(_SETTLE_S)
        found: dict[str, float] = {}
        for process in [
            psutil.Process(city.pid),
            *psutil.Process(city.pid).children(recursive=True),
        ]:
            name = _name(process)
            pss = process.memory_full_info().pss / _MIB
            found[name] = found.get(name, 0.0) + pss
        city.terminate()
        city.wait(60)
        return found


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    if "cityos" in words:
        said = words[words.index("cityos") + 1 :]
        if said[0] == "--home":
            said = said[2:]
        return f"cityos {said[0]}"
    return process.name().split(":")[0]
