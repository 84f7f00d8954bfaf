-- What is there already, each message as a block of its own. Locked first: what another process
-- stored meanwhile would go with the table. It waits then, fails, and stays in that one's spool.
LOCK TABLE raw_message IN ACCESS EXCLUSIVE MODE;
SELECT make_room_for_raw_messages(array_agg(day))
FROM (SELECT min(received_at) AS first, max(received_at) AS last FROM raw_message) kept,
     generate_series(date_bin('1 day', first, '2000-01-01+00'), last, '1 day') day;
INSERT INTO raw_block
SELECT id, received_at, ARRAY[origin_id], ARRAY[length(payload)], payload FROM raw_message;
DROP FUNCTION index_raw_messages;
DROP TABLE raw_message;

-- Message by message, for people; one of them is found by raw_message_by_id.
CREATE VIEW raw_message AS
SELECT b.first_id + m.position - 1 AS id, b.received_at, b.origin_ids[m.position] AS origin_id,
       substr(b.payloads, m.start + 1, b.ends[m.position] - m.start) AS payload
FROM raw_block b, LATERAL (
    SELECT n AS position, coalesce(b.ends[n - 1], 0) AS start
    FROM generate_series(1, cardinality(b.ends)) n
) m;

-- The ids of a block follow one another and it has 64 at most.
CREATE FUNCTION raw_message_by_id(wanted bigint) RETURNS SETOF raw_message LANGUAGE sql STABLE AS $$
    SELECT wanted, b.received_at, b.origin_ids[n],
           substr(b.payloads, coalesce(b.ends[n - 1], 0) + 1, b.ends[n] - coalesce(b.ends[n - 1], 0))
    FROM (SELECT *, (wanted - first_id + 1)::integer AS n FROM raw_block
          WHERE first_id BETWEEN wanted - 63 AND wanted ORDER BY first_id DESC LIMIT 1) b
    WHERE n <= cardinality(b.ends);
$$;
