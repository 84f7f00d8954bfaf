"""Tells the live stream of alerts: one thread that hears of them and looks them up.

Notices can be missed, so it also looks at the newest alerts of every city that somebody listens
to, now and then, and at once after the news was away.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from typing import Final

import structlog

from cityos.api.background import Background
from cityos.api.broadcast import Broadcast
from cityos.domain.alert import Alert
from cityos.errors import NotFound, Unavailable
from cityos.ports import AlertNews, Clock, OrderBook

_LISTEN_S: Final = 0.5
_LOOK_EVERY_S: Final = 10.0
_LOOK_WITHOUT_NEWS_S: Final = 1.0
_NEWEST: Final = 50
_RECENT: Final = timedelta(minutes=10)
"""Of a city that somebody just began to listen to, alerts as recent as this are told again."""

_MOST_TOLD: Final = 5000
_STATUSES: Final = ("Actual", "Exercise")

_log = structlog.get_logger(__name__)


class AlertFollower(Background):
    """Without ``news`` it only looks."""

    def __init__(
        self, *, orders: OrderBook, news: AlertNews | None, broadcast: Broadcast, clock: Clock
    ) -> None:
        super().__init__(
            "alerts",
            failure="following alerts failed; going on",
            pause_s=_LOOK_WITHOUT_NEWS_S,
        )
        self._orders = orders
        self._news = news
        self._broadcast = broadcast
        self._clock = clock
        self._told: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._looked_at: set[tuple[str, str]] = set()
        self._look_at_s = 0.0
        self._away = False

    def _turn(self) -> None:
        try:
            self._follow()
            self._away = False
        except Unavailable:
            self._note_away()
            self._stop.wait(_LOOK_WITHOUT_NEWS_S)

    def _follow(self) -> None:
        """Hear what comes for a moment, and look where it is time to.

        Raises Unavailable.
        """
        if self._news is None:
            self._stop.wait(_LOOK_WITHOUT_NEWS_S)
            self._look()
            return
        for tenant, identifier, _status in self._news.follow(_LISTEN_S):
            self._hear(tenant, identifier)
            if self._stop.is_set():
                return
        seen = {tenant for tenant, _ in self._looked_at}
        if self._clock.monotonic_s() >= self._look_at_s or self._broadcast.tenants - seen:
            self._look()

    def _hear(self, tenant: str, identifier: str) -> None:
        try:
            alert = self._orders.alert(tenant, identifier)
        except NotFound:
            _log.warning("news of an alert that is not there", identifier=identifier)
            return
        self._tell(tenant, alert)

    def _look(self) -> None:
        """Tell of alerts that nobody told us of.

        An alert may have been issued between a client's coming and the first look, so recent
        ones are told then, marked as replayed: twice is better than never.
        """
        for tenant in sorted(self._broadcast.tenants):
            for status in _STATUSES:
                first = (tenant, status) not in self._looked_at
                recent = self._clock.now() - _RECENT
                for alert in reversed(self._orders.alerts(tenant, status=status, limit=_NEWEST)):
                    if first and alert.sent < recent:
                        self._is_new(tenant, alert)
                    else:
                        self._tell(tenant, alert, replayed=first)
                self._looked_at.add((tenant, status))
        self._look_at_s = self._clock.monotonic_s() + _LOOK_EVERY_S

    def _tell(self, tenant: str, alert: Alert, *, replayed: bool = False) -> None:
        if self._is_new(tenant, alert):
            self._broadcast.tell_alert(tenant, alert, replayed=replayed)

    def _is_new(self, tenant: str, alert: Alert) -> bool:
        key = (tenant, alert.status, alert.identifier)
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > _MOST_TOLD:
            self._told.popitem(last=False)
        return True

    def _note_away(self) -> None:
        self._look_at_s = 0.0
        if not self._away:
            self._away = True
            _log.warning("no news of alerts: the database does not answer")
