"""A clock that jumps ahead deletes nothing: the time that ages are counted to is remembered."""

from __future__ import annotations

from cityos.storage.migrations.script import run

revision = "0005_retention_clock"
down_revision = "0004_alerts_of_ours"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(revision)
