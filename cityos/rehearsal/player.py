"""Plays a simulated day: every message at its time, over the real broker."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import structlog

from cityos.domain import topic
from cityos.errors import Unavailable
from cityos.ports import Clock
from cityos.rehearsal.city_files import City
from cityos.rehearsal.outlet import Outlet
from cityos.rehearsal.simulation import Emission, simulate

_TOO_LATE: Final = timedelta(seconds=30)
_SEND_S: Final = 5.0
_log = structlog.get_logger("simulation")


def play_day(
    city: City,
    outlet: Outlet,
    *,
    clock: Clock,
    stop: threading.Event,
    pace: float,
    seed: int | None = None,
) -> int:
    """Say what will be played, and play the city's simulated day until ``stop``.

    ``pace`` is how many hours of the storm pass in an hour.
    """
    _log.info(
        "playing a simulated day",
        tenant=city.tenant.id,
        devices=len(city.devices),
        storm_every_minutes=round(24 * 60 / pace, 1),
        seed=city.scenario.seed if seed is None else seed,
    )
    emissions = simulate(city, start=clock.now(), pace=pace, seed=seed)
    return play(emissions, outlet, tenant=city.tenant.id, clock=clock, stop=stop)


def play(
    emissions: Iterable[Emission],
    outlet: Outlet,
    *,
    tenant: str,
    clock: Clock,
    stop: threading.Event,
) -> int:
    """Publish each emission when its time has come, until ``stop``; return how many.

    Messages that are more than 30 s late are left out: the machine slept, and a sensor that was
    off does not report afterwards. A lost broker is logged once, and its return once.
    """
    published, lost = 0, False
    for emission in emissions:
        wait_s = (emission.time - clock.now()).total_seconds()
        if wait_s > 0 and stop.wait(wait_s):
            break
        if stop.is_set():
            break
        if clock.now() - emission.time > _TOO_LATE:
            continue
        device = emission.device
        try:
            outlet.send(
                topic.observations(tenant, device.vendor, device.id),
                emission.payload,
                timeout_s=_SEND_S,
            )
        except Unavailable as error:
            if not lost:
                _log.warning("the simulated day is held up", reason=str(error))
            lost = True
            continue
        if lost:
            _log.info("the simulated day goes on")
        published, lost = published + 1, False
    return published
