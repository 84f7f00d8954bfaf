-- What time it is for what is deleted by its age: a clock that jumps ahead makes nothing old at once.
CREATE TABLE retention_clock (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    at timestamptz NOT NULL
);
