"""Runs the hand-written SQL of a revision: the common part, then the part for this server."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import context, op
from sqlalchemy import text

_VERSIONS: Final = Path(__file__).parent / "versions"


def run(revision: str) -> None:
    """Run ``REVISION.sql``, then ``REVISION.timescale.sql`` or ``REVISION.plain.sql``.

    Which of the two is asked of the server once, by whether the extension can be used. Printed
    SQL (offline) is for the plain server unless ``-x store=timescale`` was given.
    """
    flavour = "timescale" if _timescale() else "plain"
    for name in (f"{revision}.sql", f"{revision}.{flavour}.sql"):
        path = _VERSIONS / name
        if path.exists():
            # the driver's own cursor: the text holds colons and percent signs of its own
            _execute(path.read_text(encoding="utf-8"))


def _execute(sql: str) -> None:
    if context.is_offline_mode():
        op.execute(sql)
        return
    cursor = op.get_bind().connection.cursor()
    cursor.execute(sql)
    cursor.close()


def _timescale() -> bool:
    if context.is_offline_mode():
        return context.get_x_argument(as_dictionary=True).get("store") == "timescale"
    query = text("SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'")
    return bool(op.get_bind().execute(query).scalar())
