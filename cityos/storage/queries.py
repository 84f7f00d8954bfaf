"""The SQL of the ingest side, named. Readers keep theirs beside them."""

from __future__ import annotations

from typing import Final, LiteralString, TypeAlias

Query: TypeAlias = LiteralString

# The condition is there because a conflict costs a number, too, and there are 32,767.
REGISTER_NODE: Final[Query] = """
INSERT INTO ingest_node (spool)
SELECT k.spool FROM (VALUES (%s::uuid)) k (spool)
WHERE NOT EXISTS (SELECT FROM ingest_node n WHERE n.spool = k.spool)
ON CONFLICT (spool) DO NOTHING
"""
NODE: Final[Query] = "SELECT id, stored_up_to FROM ingest_node WHERE spool = %s"

# Ordered by key, here and below, so that two nodes writing the same ones wait, never lock up.
REGISTER_ORIGINS: Final[Query] = """
INSERT INTO origin (tenant_id, vendor, device, topic, adapter)
SELECT k.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS k (tenant, vendor, device, topic, adapter)
ORDER BY k.tenant, k.topic, k.adapter
ON CONFLICT (tenant_id, topic, adapter) DO NOTHING
"""
ORIGINS: Final[Query] = """
SELECT o.tenant_id, o.topic, o.adapter, o.id
FROM unnest(%s::text[], %s::text[], %s::text[]) AS k (tenant, topic, adapter)
JOIN origin o ON (o.tenant_id, o.topic, o.adapter) = (k.tenant, k.topic, k.adapter)
"""

REGISTER_SERIES: Final[Query] = """
INSERT INTO series (tenant_id, entity_id, property, dataset, unit)
SELECT k.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS k (tenant, entity, property, dataset, unit)
JOIN entity e ON (e.tenant_id, e.id) = (k.tenant, k.entity)
ORDER BY 1, 2, 3, 4
ON CONFLICT (tenant_id, entity_id, property, dataset) DO NOTHING
"""
SERIES: Final[Query] = """
SELECT s.tenant_id, s.entity_id, s.property, s.dataset, s.id, l.observed_at
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
    AS k (tenant, entity, property, dataset)
JOIN series s ON (s.tenant_id, s.entity_id, s.property, s.dataset)
               = (k.tenant, k.entity, k.property, k.dataset)
LEFT JOIN latest l ON l.series_id = s.id
"""

ROOM_FOR_VALUES: Final[Query] = "SELECT make_room_for_observations(%s)"
ROOM_FOR_RAW: Final[Query] = "SELECT make_room_for_raw_messages(%s)"
COPY_VALUES: Final[Query] = """
COPY observation (observed_at, received_at, raw_id, value, series_id, quality, document)
FROM STDIN (FORMAT BINARY)
"""

# Temporary tables live as long as the connection, so they are made once for each.
STAGES: Final[Query] = """
CREATE TEMP TABLE IF NOT EXISTS value_stage
    (LIKE observation, position integer GENERATED ALWAYS AS IDENTITY) ON COMMIT DELETE ROWS;
"""
COPY_VALUE_STAGE: Final[Query] = """
COPY value_stage (observed_at, received_at, raw_id, value, series_id, quality, document)
FROM STDIN (FORMAT BINARY)
"""
ALERT_EVENT: Final[Query] = """
INSERT INTO event (tenant_id, kind, status, run, dataset, at, document)
VALUES (%s, 'alert', %s, %s, %s, %s, %s)
"""
NOTIFY_WORK: Final[Query] = "NOTIFY cityos_work"

VALUES: Final[Query] = """
    unnest(%b::integer[], %b::timestamptz[], %b::timestamptz[], %b::bigint[],
           %b::double precision[], %b::smallint[], %b::jsonb[])
        k (series_id, observed_at, received_at, raw_id, value, quality, document)
"""
RAW_BLOCKS: Final[Query] = """
    INSERT INTO raw_block (first_id, received_at, origin_ids, ends, payloads)
    SELECT k.first_id, k.received_at, a.origin_ids[k.first:k.last], a.ends[k.first:k.last],
           k.payloads
    FROM (VALUES (%b::integer[], %b::integer[])) a (origin_ids, ends),
         unnest(%b::bigint[], %b::timestamptz[], %b::integer[], %b::integer[], %b::bytea[])
             k (first_id, received_at, first, last, payloads)
"""
EVENTS: Final[Query] = """
    INSERT INTO event (kind, tenant_id, status, run, dataset, at, document)
    SELECT 'observation', k.*
    FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::jsonb[]) k
"""
# All that ends a batch, in one trip: under load each costs some milliseconds of waiting for a
# core. ``latest`` moves by the values stored here, which need not be sent twice, and by those that
# COPY has brought. After the values and in the order of the series, so that two nodes that write
# the same ones wait for each other. How many have moved comes back.
STORE: Final[Query] = f"""
WITH observed AS (
    INSERT INTO observation (series_id, observed_at, received_at, raw_id, value, quality, document)
    SELECT * FROM {VALUES} ORDER BY series_id, observed_at
    RETURNING series_id, observed_at, received_at, raw_id, value, quality, document
), kept AS ({RAW_BLOCKS}), happened AS ({EVENTS}), moved AS (
    INSERT INTO latest AS l
        (series_id, observed_at, received_at, raw_id, value, quality, document)
    SELECT DISTINCT ON (series_id) v.*
    FROM (SELECT * FROM observed UNION ALL SELECT * FROM {VALUES}) v
    ORDER BY series_id, observed_at DESC
    ON CONFLICT (series_id) DO UPDATE SET
        observed_at = excluded.observed_at, received_at = excluded.received_at,
        raw_id = excluded.raw_id, value = excluded.value, quality = excluded.quality,
        document = excluded.document
    WHERE l.observed_at < excluded.observed_at
       OR (l.observed_at = excluded.observed_at AND l.received_at < excluded.received_at
           AND (l.value, l.document) IS DISTINCT FROM (excluded.value, excluded.document))
    RETURNING 1
), as_far_as AS (
    UPDATE ingest_node SET stored_up_to = k.number
    FROM (VALUES (%b::bigint, %b::smallint)) k (number, node)
    WHERE id = k.node AND stored_up_to < k.number
)
SELECT (SELECT count(*) FROM moved), mark_hours(%b::timestamptz[], %b::smallint),
       CASE WHEN %b THEN pg_notify('cityos_work', '') END
"""  # noqa: S608 - of constants
LATEST: Final[Query] = """
SELECT k.series_id, l.observed_at, l.raw_id IS NOT DISTINCT FROM k.raw_id
FROM unnest(%b::integer[], %b::bigint[]) k (series_id, raw_id)
LEFT JOIN latest l ON l.series_id = k.series_id
"""

DEAD_LETTER: Final[Query] = """
INSERT INTO dead_letter (tenant_id, raw_id, received_at, vendor, device, topic, payload,
                         reason, detail, path, hint)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (raw_id, path, reason) DO NOTHING
"""

# Rows are numbered in the order they came: of several with one key, the first is the value and a
# later one with another value is a correction.
NEW_VALUES: Final[Query] = """
WITH first AS (
    SELECT DISTINCT ON (series_id, observed_at) * FROM value_stage
    ORDER BY series_id, observed_at, position
), stored AS (
    INSERT INTO observation (observed_at, received_at, raw_id, value, series_id, quality, document)
    SELECT observed_at, received_at, raw_id, value, series_id, quality, document FROM first
    ON CONFLICT (series_id, observed_at) DO NOTHING
    RETURNING series_id, observed_at
)
SELECT f.position FROM stored s JOIN first f USING (series_id, observed_at) ORDER BY 1
"""
# A value sent again by the same raw message is the spool catching up, never a correction. LIMIT
# has the planner look each key up, and the times let it leave out partitions: without them it may
# read the whole store, which TimescaleDB would decompress for it. Of one key 100 are kept, for a
# device that sends two values in turn for one time must not fill the store; the last one stands.
CORRECTIONS: Final[Query] = """
WITH other AS (
    SELECT DISTINCT ON (v.series_id, v.observed_at)
           v.*, o.received_at AS was_received_at, o.raw_id AS was_raw_id, o.value AS was_value,
           o.quality AS was_quality, o.document AS was_document
    FROM value_stage v
    CROSS JOIN LATERAL (
        SELECT * FROM observation
        WHERE (series_id, observed_at) = (v.series_id, v.observed_at)
          AND observed_at BETWEEN %(first)s AND %(last)s
        LIMIT 1
    ) o
    WHERE (o.value, o.document) IS DISTINCT FROM (v.value, v.document)
      AND o.raw_id <> v.raw_id
      AND o.received_at <= v.received_at
      AND NOT EXISTS (SELECT FROM correction c
                      WHERE (c.series_id, c.observed_at) = (v.series_id, v.observed_at)
                        AND (c.raw_id = v.raw_id OR c.corrected_by = v.raw_id))
    ORDER BY v.series_id, v.observed_at, v.position DESC
), kept AS (
    INSERT INTO correction (series_id, observed_at, received_at, raw_id, value, quality, document,
                            corrected_by)
    SELECT series_id, observed_at, was_received_at, was_raw_id, was_value, was_quality,
           was_document, raw_id
    FROM other
    WHERE (SELECT count(*) FROM correction c
           WHERE (c.series_id, c.observed_at) = (other.series_id, other.observed_at)) < 100
    ON CONFLICT DO NOTHING
)
SELECT position FROM other ORDER BY 1
"""
# What is compressed is decompressed before a row of it changes, at most 100,000 rows a
# transaction by default: a batch of corrections may need more, and would be refused for ever.
# Elsewhere the setting means nothing.
CORRECT_ANY_NUMBER: Final[Query] = (
    "SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0"
)
# series and times say again what the join says: only constants of the plan limit what TimescaleDB
# decompresses, so this must never be planned once for all values (prepare=False).
CORRECT: Final[Query] = """
UPDATE observation o
SET value = v.value, document = v.document, received_at = v.received_at, raw_id = v.raw_id,
    quality = (v.quality | 1)::smallint
FROM value_stage v
WHERE v.position = ANY (%(positions)s::integer[])
  AND (o.series_id, o.observed_at) = (v.series_id, v.observed_at)
  AND o.series_id = ANY (%(series)s::integer[])
  AND o.observed_at BETWEEN %(first)s AND %(last)s
"""

INSERT_ALERT: Final[Query] = """
INSERT INTO alert (tenant_id, identifier, status, run, sender, sent, message_type, ours, source,
                   level, supersedes, valid_until, raw_id, document, superseded_at)
SELECT %(tenant)s, %(identifier)s, %(status)s, %(run)s, %(sender)s, %(sent)s, %(message_type)s,
       false, %(source)s, %(level)s, %(supersedes)s, %(valid_until)s, %(raw_id)s, %(document)s,
       (SELECT min(sent) FROM alert
        WHERE (tenant_id, status, run, supersedes)
            = (%(tenant)s, %(status)s, %(run)s, %(supersedes)s) AND sent > %(sent)s)
ON CONFLICT (tenant_id, status, run, identifier) DO NOTHING
RETURNING superseded_at
"""
SUPERSEDE_ALERTS: Final[Query] = """
UPDATE alert SET superseded_at = %(sent)s
WHERE (tenant_id, status, run, supersedes)
    = (%(tenant)s, %(status)s, %(run)s, %(supersedes)s)
  AND NOT ours AND sent <= %(sent)s AND identifier <> %(identifier)s
  AND (superseded_at IS NULL OR superseded_at > %(sent)s)
"""
