"""Alerts are kept for ever: what is asked for each new one does not read through them."""

from __future__ import annotations

import pytest

from cityos.storage import queries
from tests.alert_path import AlertPath

MATTER = """
SELECT min(sent) FROM alert
WHERE (tenant_id, status, run, supersedes) = (%(tenant)s, %(status)s, %(run)s, %(supersedes)s)
  AND sent > %(sent)s
"""


@pytest.mark.parametrize("query", [queries.SUPERSEDE_ALERTS, MATTER], ids=["before", "after"])
def test_the_alerts_of_its_matter_are_found_by_an_index(query: str, city: AlertPath) -> None:
    with city.database.connection() as connection:
        connection.execute(
            "INSERT INTO alert (tenant_id, identifier, status, run, sender, sent, message_type,"
            " ours, source, level, supersedes, superseded_at, raw_id, document)"
            " SELECT 'town', n::text, 'Actual', '', 'jma', at, 'Alert', false, 'jma', 2,"
            "        CASE WHEN n % 2 = 0 THEN 'matter' ELSE (n / 10)::text END,"
            "        CASE WHEN n % 10 <> 9 THEN at + interval '100 s' END, 1, '{}'"
            " FROM generate_series(1, 20000) n,"
            "      LATERAL (SELECT timestamptz '2026-01-01+00' + n * interval '100 s') t (at)"
        )
        connection.execute("ANALYZE alert")
        newest = {
            "tenant": "town", "status": "Actual", "run": "", "supersedes": "matter",
            "sent": city.clock.now(), "identifier": "new",
        }  # fmt: skip
        plan = "\n".join(
            row[0] for row in connection.execute(f"EXPLAIN (ANALYZE) {query}", newest)
        )
        assert "Seq Scan" not in plan
        assert "alert_matter" in plan
        removed = [int(line.split(":")[1]) for line in plan.splitlines() if "Rows Removed" in line]
        assert sum(removed) < 100, plan
