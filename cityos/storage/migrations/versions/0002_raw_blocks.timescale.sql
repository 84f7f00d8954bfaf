-- What came together, under ids that follow one another: message n of a block has the id
-- first_id + n - 1, the origin origin_ids[n], and ends in payloads at byte ends[n]. Chunks of a
-- day: 30 days are kept, and dropping a day costs nothing. A block fills a page and stays in it; by
-- default, what is longer than a quarter of a page is compressed and cut into rows of another table.
CREATE TABLE raw_block (
    first_id    bigint NOT NULL,
    received_at timestamptz NOT NULL,
    origin_ids  integer[] NOT NULL,
    ends        integer[] NOT NULL,
    payloads    bytea NOT NULL
) WITH (toast_tuple_target = 8160);
SELECT create_hypertable('raw_block', by_range('received_at', interval '1 day'),
                         create_default_indexes => false);
CREATE INDEX raw_block_first_id ON raw_block (first_id);

CREATE OR REPLACE FUNCTION drop_raw_messages_before(before timestamptz)
RETURNS integer LANGUAGE sql AS $$
    SELECT count(*)::integer FROM drop_chunks('raw_block', older_than => before);
$$;
