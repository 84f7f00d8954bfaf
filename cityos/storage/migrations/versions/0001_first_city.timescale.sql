CREATE EXTENSION IF NOT EXISTS timescaledb;

-- Chunks of a day: 30 days are kept, and dropping a day costs nothing.
CREATE TABLE raw_message (
    id          bigint NOT NULL,
    received_at timestamptz NOT NULL,
    origin_id   integer NOT NULL,
    payload     bytea NOT NULL
);

-- Narrow: one row a value. Chunks of a week. A value that is not a number is in
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
);

SELECT create_hypertable('raw_message', by_range('received_at', interval '1 day'),
                         create_default_indexes => false);
CREATE INDEX raw_message_brin ON raw_message USING brin (received_at);
SELECT create_hypertable('observation', by_range('observed_at', interval '7 days'),
                         create_default_indexes => false);

ALTER TABLE observation SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'series_id',
    timescaledb.compress_orderby = 'observed_at DESC'
);
SELECT add_compression_policy('observation', interval '30 days');

-- Chunks come by themselves; the functions are here so that the callers are the same.
CREATE FUNCTION make_room_for_observations(times timestamptz[]) RETURNS void LANGUAGE sql AS $$
    SELECT NULL::void;
$$;

CREATE FUNCTION make_room_for_raw_messages(times timestamptz[]) RETURNS void LANGUAGE sql AS $$
    SELECT NULL::void;
$$;

CREATE FUNCTION index_raw_messages(closed_before timestamptz) RETURNS integer LANGUAGE sql AS $$
    SELECT 0;
$$;

CREATE FUNCTION drop_raw_messages_before(before timestamptz) RETURNS integer LANGUAGE sql AS $$
    SELECT count(*)::integer FROM drop_chunks('raw_message', older_than => before);
$$;

CREATE FUNCTION drop_observations_before(before timestamptz) RETURNS integer LANGUAGE sql AS $$
    SELECT count(*)::integer FROM drop_chunks('observation', older_than => before);
$$;

-- Real-time aggregate: what is not materialised yet is counted from the rows. The refresh window
-- must stay inside the retention of the rows: refreshing a window whose rows are gone deletes it.
CREATE MATERIALIZED VIEW rollup_hour
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT series_id, time_bucket(interval '1 hour', observed_at) AS bucket,
       count(value) AS count, sum(value) AS sum, min(value) AS minimum, max(value) AS maximum
FROM observation
GROUP BY series_id, time_bucket(interval '1 hour', observed_at)
WITH NO DATA;

SELECT add_continuous_aggregate_policy('rollup_hour',
    start_offset => interval '30 days', end_offset => interval '1 hour',
    schedule_interval => interval '10 minutes');

CREATE FUNCTION mark_hours(hours timestamptz[], by_node smallint) RETURNS void LANGUAGE sql AS $$
    SELECT NULL::void;
$$;

CREATE FUNCTION roll_up_hour(hour timestamptz) RETURNS void LANGUAGE sql AS $$
    SELECT NULL::void;
$$;

CREATE FUNCTION hours_to_roll_up(before timestamptz, at_most integer)
RETURNS SETOF timestamptz LANGUAGE sql STABLE AS $$
    SELECT NULL::timestamptz WHERE false;
$$;

CREATE FUNCTION observation_hourly(series integer, since timestamptz, until timestamptz)
RETURNS TABLE (bucket timestamptz, count bigint, sum double precision,
               minimum double precision, maximum double precision)
LANGUAGE sql STABLE AS $$
    SELECT r.bucket, r.count, r.sum, r.minimum, r.maximum
    FROM rollup_hour r
    WHERE r.series_id = series AND r.bucket >= since AND r.bucket < until AND r.count > 0
    ORDER BY 1;
$$;
