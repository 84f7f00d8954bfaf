-- What time it is for what is deleted by its age: a clock that jumps ahead makes nothing old at once.
CREATE TABLE retention_clock (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    at timestamptz NOT NULL
);

-- Of a store that is in use the newest receipt is certain: its clock may be the one that is ahead.
INSERT INTO retention_clock (at)
SELECT max(received_at) FROM latest HAVING max(received_at) IS NOT NULL;
