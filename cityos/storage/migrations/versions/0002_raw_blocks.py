"""Raw messages in blocks: a row for all that came together, as far as a page holds it."""

from __future__ import annotations

from cityos.storage.migrations.script import run

revision = "0002_raw_blocks"
down_revision = "0001_first_city"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(revision)
