"""Alerts are found by their matter and by when they were superseded: they are kept for ever."""

from __future__ import annotations

from cityos.storage.migrations.script import run

revision = "0003_alerts_by_matter"
down_revision = "0002_raw_blocks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(revision)
