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

-- One row: values before this time are gone, or may go at any moment, so the roll-ups of those
-- hours are final: a value that comes later still must not replace what all the others gave.
CREATE TABLE rollup_final (before timestamptz NOT NULL);
INSERT INTO rollup_final VALUES ('-infinity');

-- DO UPDATE and not DO NOTHING: the row lock makes roll_up_hour wait for this transaction, so
-- that it cannot count an hour while values of it are stored but not yet visible.
CREATE FUNCTION mark_hours(hours timestamptz[], by_node smallint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO rollup_dirty SELECT h, by_node FROM unnest(hours) h
    WHERE h >= (SELECT before FROM rollup_final) ORDER BY h
    ON CONFLICT (bucket, node) DO UPDATE SET bucket = excluded.bucket;
$$;

CREATE FUNCTION roll_up_hour(hour timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM rollup_dirty WHERE bucket = hour;
    IF hour < (SELECT before FROM rollup_final) THEN
        RETURN; -- marked while its values were being dropped
    END IF;
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

-- Drops what is wholly older than the limit and rolled up; returns how many partitions went.
CREATE FUNCTION drop_observations_before(before timestamptz)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    up_to timestamptz := date_bin(
        '1 hour', least(before, (SELECT min(bucket) FROM rollup_dirty)), '2000-01-01+00');
BEGIN
    UPDATE rollup_final f SET before = greatest(f.before, up_to);
    RETURN drop_observation_partitions(up_to);
END $$;

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
