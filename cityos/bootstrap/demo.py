"""The demo city that comes with a checkout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from cityos.errors import SetupFailed
from cityos.ports import Registry
from cityos.rehearsal import city_files

DEMO_CITY: Final = Path(__file__).parents[2] / "deploy" / "demo" / "yaizu"


def is_live(registry: Registry, tenant: str) -> bool:
    """Whether the city is there and in earnest: then nothing is simulated in it."""
    return any(one.id == tenant and not one.practice for one in registry.tenants())


def demo_city(time_lapse: float = 1.0) -> city_files.City:
    """Return the city; it says of itself how many hours of its rivers pass in one hour.

    Raises:
        SetupFailed: this installation has no demo city with it.
    """
    if not DEMO_CITY.is_dir():
        message = f"the demo city is not in this installation ({DEMO_CITY}): use --no-demo"
        raise SetupFailed(message)
    city = city_files.load(DEMO_CITY)
    attributes = {**city.tenant.attributes, "time_lapse": time_lapse}
    return replace(city, tenant=replace(city.tenant, attributes=attributes))
