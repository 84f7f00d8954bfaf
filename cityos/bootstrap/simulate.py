"""``cityos simulate``: the demo city's devices, all of them, over the real broker."""

from __future__ import annotations

from cityos.bootstrap import connect
from cityos.bootstrap.demo import demo_city
from cityos.bootstrap.process import stop_event
from cityos.clock import SystemClock
from cityos.rehearsal.mqtt import WindowedPublisher
from cityos.rehearsal.player import play_day
from cityos.runtime.notify import say_ready
from cityos.settings import Settings, notify_address

USER = "simulator"


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    found = connect.addresses(settings, "mqtt_url")
    stopping = stop_event()
    publisher = WindowedPublisher(
        found.mqtt_url(USER),
        on_state=lambda connected, _why: say_ready(notify_address()) if connected else None,
    )
    try:
        play_day(
            demo_city(),
            publisher,
            clock=SystemClock(),
            stop=stopping,
            pace=settings.simulation_pace,
        )
    finally:
        publisher.close()
