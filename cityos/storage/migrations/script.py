"""Runs the hand-written SQL of a revision: the common part, the part for this kind of store."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog
from alembic import context, op
from sqlalchemy import text

from cityos.errors import SetupFailed

_VERSIONS: Final = Path(__file__).parent / "versions"
_OLDEST: Final = (2, 16)
"""2.16 is the first to find by ``= ANY (...)`` what an UPDATE has to decompress."""

_KIND: Final = "SELECT relkind = 'r' FROM pg_class WHERE oid = to_regclass('observation')"
"""A hypertable is an ordinary table, the plain store's is a partitioned one ('p')."""
_OFFERED: Final = """
SELECT coalesce(installed_version, default_version) FROM pg_available_extensions
WHERE name = 'timescaledb'
"""
_LOADED: Final = "SELECT 1 FROM pg_settings WHERE name = 'timescaledb.max_background_workers'"

_log = structlog.get_logger("migrate")


def run(revision: str) -> None:
    """Run ``REVISION.sql``, the part for this kind of store, and ``REVISION.after.sql``.

    The second is ``REVISION.timescale.sql`` or ``REVISION.plain.sql``; the third is what is the
    same on both but stands on tables that are not. Each part is optional.
    A store stays what it was made as; a new one uses TimescaleDB if the server has it loaded.
    Printed SQL is for the kind that was asked for (``database.migrate``).

    Raises:
        SetupFailed: the server's TimescaleDB is too old.
    """
    kind = "timescale" if _timescale() else "plain"
    for name in (f"{revision}.sql", f"{revision}.{kind}.sql", f"{revision}.after.sql"):
        path = _VERSIONS / name
        if path.exists():
            _execute(path.read_text(encoding="utf-8"))


def _execute(sql: str) -> None:
    """Execute or print the text as it is: it holds colons and percent signs of its own."""
    if context.is_offline_mode():
        op.get_context().impl.static_output(sql)
        return
    cursor = op.get_bind().connection.cursor()
    cursor.execute(sql)
    cursor.close()


def _timescale() -> bool:
    if context.is_offline_mode():
        return bool(context.config.attributes["timescale"])
    made_so = op.get_bind().execute(text(_KIND)).scalar()
    return _usable() if made_so is None else bool(made_so)


def _usable() -> bool:
    version = op.get_bind().execute(text(_OFFERED)).scalar()
    if version is None:
        return False
    if op.get_bind().execute(text(_LOADED)).scalar() is None:
        _log.warning(
            "TimescaleDB is installed but not loaded, so the store is made without it: put "
            "timescaledb into shared_preload_libraries before the first start to have it used"
        )
        return False
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        message = (
            f"the server's TimescaleDB {version} is too old, {oldest} is the least: update it, "
            "or take it out of shared_preload_libraries and use plain PostgreSQL"
        )
        raise SetupFailed(message)
    return True
