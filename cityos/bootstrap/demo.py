"""The demo city that comes with a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cityos.errors import SetupFailed
from cityos.rehearsal import city_files

DEMO_CITY: Final = Path(__file__).parents[2] / "deploy" / "demo" / "yaizu"


def demo_city() -> city_files.City:
    """Raises SetupFailed: this installation has no demo city with it."""
    if not DEMO_CITY.is_dir():
        message = f"the demo city is not in this installation ({DEMO_CITY}): use --no-demo"
        raise SetupFailed(message)
    return city_files.load(DEMO_CITY)
