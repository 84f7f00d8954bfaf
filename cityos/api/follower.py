"""Keeps the present state current: one thread that follows the live bus and checks on it.

    bus answers   news as it comes; the store is asked every two seconds what moved, in case
                  something was never told (a writer that cannot reach the bus, a crash between
                  commit and telling)
    bus is away   the store is asked twice a second instead, and nothing else changes

The store's answer costs one scan of a table with a row a series, and carries only what moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog

from cityos.api.background import Background
from cityos.api.metrics import ApiMetrics
from cityos.api.present import Present
from cityos.api.stamps import Stamps
from cityos.domain.history import SeriesKey
from cityos.errors import Unavailable
from cityos.ports import CityReader, Clock, LatestValue, LiveBus, LiveNews

CHECK_EVERY_S: Final = 2.0
POLL_EVERY_S: Final = 0.5
_TRY_BUS_EVERY_S: Final = 2.0
_LISTEN_S: Final = 0.5
BELIEVED_FOR_S: Final = 5.0
"""After this long without an answer of the store nothing in memory is served any more."""

Tell = Callable[[str, Sequence[LatestValue]], None]

_log = structlog.get_logger(__name__)


class Follower(Background):
    """``tell`` hears of values that are news, in the follower's thread."""

    def __init__(
        self,
        *,
        reader: CityReader,
        bus: LiveBus | None,
        present: Present,
        stamps: Stamps,
        tell: Tell,
        clock: Clock,
        metrics: ApiMetrics,
    ) -> None:
        super().__init__(
            "follower", failure="following failed; going on", pause_s=_TRY_BUS_EVERY_S
        )
        self._reader = reader
        self._bus = bus
        self._present = present
        self._stamps = stamps
        self._tell = tell
        self._clock = clock
        self._metrics = metrics
        self._position: int | None = None
        self._check_at_s = 0.0
        self._bus_followed: bool | None = None
        self._store_answers = True

    @property
    def follows_bus(self) -> bool:
        return self._bus_followed is True

    def _turn(self) -> None:
        """Follow until the bus fails; then poll for a while."""
        if self._bus is not None:
            try:
                self._follow(self._bus)
            except Unavailable as error:
                self._note_bus(followed=False, reason=str(error))
                self._stamps.change_all()
        self._poll()

    def _follow(self, bus: LiveBus) -> None:
        """Raises Unavailable when the bus is away or lost something."""
        news = bus.follow(_LISTEN_S)  # from here on everything is heard ...
        self._check()  # ... and this is everything before
        self._stamps.change_all()
        self._note_bus(followed=True)
        while not self._stop.is_set():
            for each in news:
                self._take(each)
                self._check_if_due()
                if self._stop.is_set():
                    return
            self._check_if_due()
            news = bus.follow(_LISTEN_S)

    def _poll(self) -> None:
        until_s = self._clock.monotonic_s() + _TRY_BUS_EVERY_S
        while not self._stop.is_set():
            self._check()
            self._stop.wait(POLL_EVERY_S)
            if self._bus is not None and self._clock.monotonic_s() >= until_s:
                return

    def _take(self, news: LiveNews) -> None:
        moved = self._present.put(news.tenant, news.changed)
        change = self._stamps.change
        for value in news.changed:
            change(news.tenant, _series(value))
        for series in news.touched:
            change(news.tenant, series)
        if moved:
            self._tell(news.tenant, moved)

    def _check_if_due(self) -> None:
        if self._clock.monotonic_s() >= self._check_at_s:
            self._check()

    def _check(self) -> None:
        """Ask the store what moved."""
        begun_s = self._clock.monotonic_s()
        try:
            position, changes = self._reader.latest_changes(self._position)
        except Unavailable:
            self._note_store(answers=False)
            self._check_at_s = self._clock.monotonic_s() + CHECK_EVERY_S
            return
        self._note_store(answers=True)
        for tenant, values in _by_city(changes):
            moved = self._present.put(tenant, values)
            for value in moved:
                self._stamps.change(tenant, _series(value))
            if moved and self._position is not None:
                self._tell(tenant, moved)
        self._position = position
        self._present.believable_until_s = begun_s + BELIEVED_FOR_S
        self._check_at_s = self._clock.monotonic_s() + CHECK_EVERY_S

    def _note_bus(self, *, followed: bool, reason: str = "") -> None:
        self._metrics.bus_followed.set(followed)
        if followed is not self._bus_followed:
            self._bus_followed = followed
            if followed:
                _log.info("following the live bus")
            else:
                _log.warning("the live bus is away; polling the database", reason=reason)

    def _note_store(self, *, answers: bool) -> None:
        if answers is not self._store_answers:
            self._store_answers = answers
            if answers:
                _log.info("the database answers again")
            else:
                _log.warning("the database does not answer; memory is served for 5 s more")


def _series(value: LatestValue) -> SeriesKey:
    return SeriesKey(
        entity=value.entity, observed_property=value.observed_property, dataset=value.dataset
    )


def _by_city(
    changes: Iterable[tuple[str, LatestValue]],
) -> Iterable[tuple[str, list[LatestValue]]]:
    cities: dict[str, list[LatestValue]] = {}
    for tenant, value in changes:
        cities.setdefault(tenant, []).append(value)
    return cities.items()
