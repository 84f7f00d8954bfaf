"""Waiting for what another thread or process is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(done: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Look again and again until it is so; fail when it has not come to that in the time."""
    end = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
