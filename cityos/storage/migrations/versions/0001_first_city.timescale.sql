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

-- Old chunks take a sixth of the room, or less, in columns. A batch of 1000 rows holds one series,
-- so that reading a series, or correcting a value of it, opens only batches of that series.
-- The Apache-2.0 edition has no compression: there the chunks stay as they are.
DO $$
BEGIN
    IF current_setting('timescaledb.license') = 'timescale' THEN
        ALTER TABLE observation SET (
            timescaledb.compress,
            timescaledb.compress_segmentby = 'series_id',
            timescaledb.compress_orderby = 'observed_at DESC'
        );
        PERFORM add_compression_policy('observation', interval '30 days');
    END IF;
END $$;

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

CREATE FUNCTION drop_observation_partitions(before timestamptz) RETURNS integer LANGUAGE sql AS $$
    SELECT count(*)::integer FROM drop_chunks('observation', older_than => before);
$$;
