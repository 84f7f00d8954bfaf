"""Connections to PostgreSQL with a deadline on everything, and the one migration path.

Measured on a black-holed peer: psycopg hangs past 40 s with its defaults, with TCP keepalives and
with ``statement_timeout``; only ``tcp_user_timeout`` ends it. Hence the parameters below.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from cityos.errors import InvalidRequest, SetupFailed, TookTooLong, Unavailable

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_DISK_FULL: Final = "the database's disk is full: make room on it"
_DEADLINES: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 8000,  # milliseconds
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


class Database:
    """A pool of connections of one purpose.

    ``connection()`` is a transaction: it commits when the block ends and rolls back when it
    raises. A lost server raises ``Unavailable``, a statement that takes too long ``TookTooLong``;
    every other error of the driver passes through, for the caller knows what it means.

    With ``autocommit`` every statement stands alone, which spares who works in single statements
    two round trips; ``connection.transaction()`` still joins those that belong together. Without
    ``checked`` a connection is not tried before it is lent, which spares one more: for those that
    try again when it turns out to be lost.
    """

    def __init__(
        self,
        url: str,
        *,
        application: str,
        min_size: int = 1,
        max_size: int = 4,
        timeout_s: float = 5.0,
        statement_timeout_s: float = 30.0,
        autocommit: bool = False,
        checked: bool = True,
    ) -> None:
        self._timeout_s = timeout_s
        options = f"-c statement_timeout={int(statement_timeout_s * 1000)} -c timezone=UTC"
        self._pool = ConnectionPool(
            url,
            min_size=min_size,
            max_size=max_size,
            timeout=timeout_s,
            open=False,
            name=application,
            kwargs={
                **_DEADLINES,
                "application_name": application,
                "options": options,
                "autocommit": autocommit,
            },
            check=ConnectionPool.check_connection if checked else None,
        )
        self._pool.open(wait=False)

    @contextmanager
    def connection(self) -> Iterator[Connection[TupleRow]]:
        """Yield a connection in a transaction.

        Raises:
            Unavailable: the server does not answer in time, goes away, or its disk is full.
            TookTooLong: a statement was not finished in its time.
        """
        connection = None
        try:
            with self._pool.connection() as connection:
                yield connection
        except PoolTimeout as error:
            raise Unavailable("the database does not answer") from error
        except psycopg.errors.QueryCanceled as error:
            raise TookTooLong("the database did not finish in time") from error
        except psycopg.errors.DiskFull as error:
            raise Unavailable(_DISK_FULL) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if connection is not None and connection.broken:
                self._pool.drain()  # its neighbours went the same way: a restart ends them all
            raise Unavailable("the connection to the database was lost") from error

    def close(self) -> None:
        self._pool.close(timeout=self._timeout_s)


def connect(url: str, application: str) -> Connection[TupleRow]:
    """Return one connection outside any pool, in autocommit: for LISTEN and for set-up.

    Raises:
        Unavailable: the server does not answer, or does not let us in.
        SetupFailed: this is no URL. Its text is not shown: a part of the password may be in it.
    """
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            application_name=application,
            options="-c timezone=UTC",
            **_DEADLINES,
        )
    except psycopg.OperationalError as error:
        raise Unavailable("the database does not answer") from error
    except psycopg.ProgrammingError:
        raise SetupFailed(
            "the database's URL cannot be read; in its password write @ as %40, : as %3A,"
            " / as %2F, % as %25"
        ) from None


def migrate(
    url: str, *, sql_only: bool = False, timescale: bool = False, revision: str = "head"
) -> None:
    """Bring the schema to the newest version; two at the same time wait for each other.

    With ``sql_only`` the statements are printed instead of run, for plain PostgreSQL or, with
    ``timescale``, for a server with TimescaleDB; nothing is asked of a server then.

    ``revision`` is where to go, or ``FROM:TO`` with ``sql_only``.

    Raises:
        InvalidRequest: there is no such revision.
        SetupFailed: the server's TimescaleDB is too old, or its disk is full.
        Unavailable: the server does not answer.
    """
    # here, not above: it brings 21 MB into every process, and one command needs it
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["url"] = url
    config.attributes["timescale"] = timescale
    if not sql_only:
        connect(url, "cityos-migrate").close()
    try:
        command.upgrade(config, revision, sql=sql_only)
    except CommandError as error:
        message = f"there is no way to the schema {revision!r}: {error}"
        raise InvalidRequest(message) from error
    except psycopg.errors.DiskFull as error:
        raise SetupFailed(_DISK_FULL) from error
