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

CREATE FUNCTION drop_observation_partitions(before timestamptz) RETURNS integer LANGUAGE sql AS $$
    SELECT drop_partitions('observation', '7 days', before);
$$;
