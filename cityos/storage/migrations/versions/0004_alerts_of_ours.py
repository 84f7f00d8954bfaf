"""A city's own alerts are found without reading those of other authorities."""

from __future__ import annotations

from cityos.storage.migrations.script import run

revision = "0004_alerts_of_ours"
down_revision = "0003_alerts_by_matter"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(revision)
