"""The first city: registry, readings, dead letters, events, proposals, alerts, keys."""

from __future__ import annotations

from cityos.storage.migrations.script import run

revision = "0001_first_city"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(revision)
