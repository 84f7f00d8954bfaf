-- What came together, under ids that follow one another: message n of a block has the id
-- first_id + n - 1, the origin origin_ids[n], and ends in payloads at byte ends[n]. Partitioned by
-- received_at (day): 30 days are kept, and dropping a day costs nothing. That no message comes
-- twice is ingest_node's work, not a key's.
CREATE TABLE raw_block (
    first_id    bigint NOT NULL,
    received_at timestamptz NOT NULL,
    origin_ids  integer[] NOT NULL,
    ends        integer[] NOT NULL,
    payloads    bytea NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX raw_block_first_id ON raw_block (first_id);

-- A block fills a page and stays in it; by default, what is longer than a quarter of a page is
-- compressed and cut into rows of another table.
CREATE OR REPLACE FUNCTION make_room_for_raw_messages(times timestamptz[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    child regclass;
BEGIN
    PERFORM make_partition('raw_block', '1 day', '2000-01-01+00', t) FROM unnest(times) t;
    FOR child IN
        SELECT c.oid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'raw_block'::regclass
          AND coalesce(array_to_string(c.reloptions, ' '), '') NOT LIKE '%toast_tuple_target%'
    LOOP
        EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 8160)', child);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION drop_raw_messages_before(before timestamptz)
RETURNS integer LANGUAGE sql AS $$
    SELECT drop_partitions('raw_block', '1 day', before);
$$;
