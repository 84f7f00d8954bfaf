-- Partitioned by received_at (day): 30 days are kept, and dropping a day costs nothing. No index
-- while a day is written (it would cost more than the row): a row is found by its day, and
-- index_raw_messages gives every closed day one. That no message comes twice is ingest_node's work.
CREATE TABLE raw_message (
    id          bigint NOT NULL,
    received_at timestamptz NOT NULL,
    origin_id   integer NOT NULL,
    payload     bytea NOT NULL
) PARTITION BY RANGE (received_at);

-- Narrow: one row a value. Partitioned by observed_at (week). A value that is not a number is in
-- document, and value is NULL. No foreign key to series: it would double the cost of a COPY.
CREATE TABLE observation (
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    raw_id      bigint NOT NULL,
    value       double precision,
    series_id   integer NOT NULL,
    quality     smallint NOT NULL,
    document    jsonb,
    PRIMARY KEY (series_id, observed_at)
) PARTITION BY RANGE (observed_at);

-- Creates the partitions that rows of these times need. ATTACH takes a lock that lets readers and
-- writers go on; CREATE ... PARTITION OF would stop them all.
CREATE FUNCTION make_partition(parent text, width interval, origin timestamptz, at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    lower timestamptz := date_bin(width, at, origin);
    child text := parent || '_' || to_char(lower AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
    IF to_regclass(child) IS NOT NULL THEN
        RETURN;
    END IF;
    -- two that need the same partition wait here; a lock on a table, unlike an advisory one, also
    -- lets the second see what the first has made
    EXECUTE format('LOCK TABLE %I IN SHARE UPDATE EXCLUSIVE MODE', parent);
    IF to_regclass(child) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                       child, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                       parent, child, lower, lower + width);
    END IF;
END $$;

CREATE FUNCTION make_room_for_observations(times timestamptz[]) RETURNS void LANGUAGE sql AS $$
    SELECT make_partition('observation', '7 days', '2000-01-03+00', t) FROM unnest(times) t;
$$;

CREATE FUNCTION make_room_for_raw_messages(times timestamptz[]) RETURNS void LANGUAGE sql AS $$
    SELECT make_partition('raw_message', '1 day', '2000-01-01+00', t) FROM unnest(times) t;
$$;

-- Drops what is wholly older than the limit; returns how many partitions went.
CREATE FUNCTION drop_partitions(parent text, width interval, before timestamptz)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    child text;
    dropped integer := 0;
BEGIN
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass
          AND to_timestamp(right(c.relname, 8), 'YYYYMMDD') + width <= before
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

CREATE FUNCTION index_raw_messages(closed_before timestamptz)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    child text;
    made integer := 0;
BEGIN
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'raw_message'::regclass
          AND to_timestamp(right(c.relname, 8), 'YYYYMMDD') + interval '1 day' <= closed_before
          AND to_regclass(c.relname || '_brin') IS NULL
    LOOP
        EXECUTE format('CREATE INDEX %I ON %I USING brin (received_at)', child || '_brin', child);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

CREATE FUNCTION drop_raw_messages_before(before timestamptz) RETURNS integer LANGUAGE sql AS $$
    SELECT drop_partitions('raw_message', '1 day', before);
$$;

CREATE FUNCTION drop_observations_before(before timestamptz) RETURNS integer LANGUAGE sql AS $$
    SELECT drop_partitions('observation', '7 days', before);
$$;

-- Hourly roll-up. An hour with a row in rollup_dirty may hold values that rollup_hour does not
-- know; every other hour is exact. Ingest writes the dirty row in the transaction that stores the
-- values, one row a node so that nodes never wait for each other.
CREATE TABLE rollup_hour (
    series_id   integer NOT NULL,
    bucket      timestamptz NOT NULL,
    count       bigint NOT NULL,
    sum         double precision NOT NULL,
    minimum     double precision NOT NULL,
    maximum     double precision NOT NULL,
    PRIMARY KEY (series_id, bucket)
);
CREATE INDEX rollup_hour_bucket ON rollup_hour (bucket);

CREATE TABLE rollup_dirty (
    bucket      timestamptz NOT NULL,
    node        smallint NOT NULL,
    PRIMARY KEY (bucket, node)
) WITH (fillfactor = 50);

-- DO UPDATE and not DO NOTHING: the row lock makes roll_up_hour wait for this transaction, so
-- that it cannot count an hour while values of it are stored but not yet visible.
CREATE FUNCTION mark_hours(hours timestamptz[], by_node smallint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO rollup_dirty SELECT h, by_node FROM unnest(hours) h ORDER BY h
    ON CONFLICT (bucket, node) DO UPDATE SET bucket = excluded.bucket;
$$;

CREATE FUNCTION roll_up_hour(hour timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM rollup_dirty WHERE bucket = hour;
    DELETE FROM rollup_hour WHERE bucket = hour;
    INSERT INTO rollup_hour -- one index probe a series: no index over time alone is needed
    SELECT s.id, hour, o.count, o.sum, o.minimum, o.maximum
    FROM series s
    CROSS JOIN LATERAL (
        SELECT count(v.value) AS count, sum(v.value) AS sum,
               min(v.value) AS minimum, max(v.value) AS maximum
        FROM observation v
        WHERE v.series_id = s.id
          AND v.observed_at >= hour AND v.observed_at < hour + interval '1 hour'
    ) o
    WHERE o.count > 0;
END $$;

-- The oldest hours that can be rolled up: complete for some minutes, so that the usual stragglers
-- do not cause the work twice.
CREATE FUNCTION hours_to_roll_up(before timestamptz, at_most integer)
RETURNS SETOF timestamptz LANGUAGE sql STABLE AS $$
    SELECT DISTINCT bucket FROM rollup_dirty
    WHERE bucket + interval '1 hour' <= before ORDER BY bucket LIMIT at_most;
$$;

CREATE FUNCTION observation_hourly(series integer, since timestamptz, until timestamptz)
RETURNS TABLE (bucket timestamptz, count bigint, sum double precision,
               minimum double precision, maximum double precision)
LANGUAGE sql STABLE AS $$
    SELECT r.bucket, r.count, r.sum, r.minimum, r.maximum
    FROM rollup_hour r
    WHERE r.series_id = series AND r.bucket >= since AND r.bucket < until
      AND NOT EXISTS (SELECT FROM rollup_dirty d WHERE d.bucket = r.bucket)
    UNION ALL
    SELECT d.bucket, o.count, o.sum, o.minimum, o.maximum
    FROM (SELECT DISTINCT x.bucket FROM rollup_dirty x
          WHERE x.bucket >= since AND x.bucket < until) d
    CROSS JOIN LATERAL (
        SELECT count(v.value) AS count, sum(v.value) AS sum,
               min(v.value) AS minimum, max(v.value) AS maximum
        FROM observation v
        WHERE v.series_id = series
          AND v.observed_at >= d.bucket AND v.observed_at < d.bucket + interval '1 hour'
    ) o
    WHERE o.count > 0
    ORDER BY 1;
$$;
