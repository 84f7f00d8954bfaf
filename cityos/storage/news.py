"""News through the database: LISTEN and NOTIFY, for waking up and never for carrying state.

    cityos_work      ingest has stored events
    cityos_delivery  something is in the outbox
    cityos_alert     an alert, ours or another authority's, may be shown: JSON with its key

A notification reaches those who listen at that moment, so every listener also looks at the
tables: when it starts, after a lost connection, and now and then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final, LiteralString, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from cityos.errors import Unavailable
from cityos.storage.database import Database, connect
from cityos.storage.documents import decode, encode

WORK: Final[LiteralString] = "cityos_work"
DELIVERY: Final[LiteralString] = "cityos_delivery"
ALERT: Final[LiteralString] = "cityos_alert"
_NOTIFY: Final = "SELECT pg_notify(%s, %s)"


class AlertNotice(NamedTuple):
    """Which alert there is news of."""

    tenant: str
    identifier: str
    status: str


class Listener:
    """Hears one channel over a connection of its own. For one thread."""

    def __init__(self, url: str, channel: LiteralString, *, application: str) -> None:
        self._url = url
        self._channel = channel
        self._application = application
        self._connection: Connection[TupleRow] | None = None

    def wait(self, timeout_s: float) -> list[str]:
        """Return the payloads that came; none after the timeout.

        Returns at once, and empty, when it has just connected: what happened before is in the
        tables.

        Raises:
            Unavailable: the database is away; the next call connects again.
        """
        if self._connection is None:
            connection = connect(self._url, self._application)
            connection.execute(f"LISTEN {self._channel}")
            self._connection = connection
            return []
        try:
            return [
                notice.payload
                for notice in self._connection.notifies(timeout=timeout_s, stop_after=1)
            ]
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            raise Unavailable("the connection to the database was lost") from error

    def close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


class AlertNews:
    """News of alerts for the doors that push. For one thread."""

    def __init__(self, url: str, *, application: str) -> None:
        self._listener = Listener(url, ALERT, application=application)

    def follow(self, timeout_s: float) -> Iterator[AlertNotice]:
        """Yield notices as they come; ends after ``timeout_s`` without any.

        Raises:
            Unavailable: the database is away. Notices may be missed until the next call, so
                whoever shows alerts reads those in force again.
        """
        while payloads := self._listener.wait(timeout_s):
            for payload in payloads:
                yield decode(payload, AlertNotice)

    def close(self) -> None:
        self._listener.close()


class AlertAnnouncer:
    """Tells everybody who follows ``AlertNews``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def announce(self, tenant: str, identifier: str, status: str) -> None:
        """Raises Unavailable."""
        with self._database.connection() as connection:
            announce(connection, AlertNotice(tenant, identifier, status))


def announce(connection: Connection[TupleRow], notice: AlertNotice) -> None:
    """Announce the alert when the transaction commits."""
    connection.execute(_NOTIFY, (ALERT, encode(notice)))


def ring(connection: Connection[TupleRow], channel: LiteralString) -> None:
    """Wake whoever waits on the channel when the transaction commits."""
    connection.execute(_NOTIFY, (channel, ""))
