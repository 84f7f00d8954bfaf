"""One way to say that the database is away, for code that runs inside somebody's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from cityos.errors import TookTooLong, Unavailable


@contextmanager
def within_deadline() -> Iterator[None]:
    """Turn a lost connection or a deadlock into ``Unavailable``, a timeout into ``TookTooLong``.

    ``Database.connection`` does so at the end of its transaction. A service that is called in the
    middle of one needs it at once: its failure would otherwise be taken for the service's own.
    """
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise TookTooLong("the database did not finish in time") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Unavailable("the database does not answer") from error
