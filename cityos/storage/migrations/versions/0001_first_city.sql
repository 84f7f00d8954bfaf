-- The first schema. Every row of a city names its tenant, or the series or origin that does. Values
-- are kept for ever unless their retention is set, their hourly roll-ups always, but both only for
-- a time if they are of an exercise. Alerts, proposals and situations are kept for ever: the record
-- of decisions. Whatever else grows with the traffic goes when its time is over. The rule of each
-- table is in cityos/storage/maintenance.py.
-- Hand-written: the comments say why.

CREATE TABLE tenant (
    id          text PRIMARY KEY,
    name_en     text NOT NULL,
    name_ja     text NOT NULL,
    practice    boolean NOT NULL DEFAULT false,
    attributes  jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE entity (
    tenant_id   text NOT NULL REFERENCES tenant (id),
    id          text NOT NULL,
    type        text NOT NULL,
    name_en     text NOT NULL,
    name_ja     text NOT NULL,
    longitude   double precision,
    latitude    double precision,
    geometry    jsonb,
    attributes  jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    modified_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CHECK ((longitude IS NULL) = (latitude IS NULL))
);
CREATE INDEX entity_type ON entity (tenant_id, type, id);
CREATE INDEX entity_place ON entity (tenant_id, latitude, longitude) WHERE latitude IS NOT NULL;
CREATE INDEX entity_attributes ON entity USING gin (attributes jsonb_path_ops);

CREATE TABLE device (
    tenant_id   text NOT NULL,
    vendor      text NOT NULL,
    id          text NOT NULL,
    adapter     text NOT NULL,
    entity_id   text NOT NULL,
    entities    jsonb NOT NULL DEFAULT '{}',
    settings    jsonb NOT NULL DEFAULT '{}',
    enabled     boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, vendor, id),
    FOREIGN KEY (tenant_id, entity_id) REFERENCES entity (tenant_id, id)
);

-- One number that every change of tenants, entities or devices raises: caches compare it.
CREATE SEQUENCE registry_version;

CREATE TABLE series (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    entity_id   text NOT NULL,
    property    text NOT NULL,
    dataset     text NOT NULL DEFAULT '',
    unit        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, entity_id, property, dataset),
    FOREIGN KEY (tenant_id, entity_id) REFERENCES entity (tenant_id, id)
);
-- For the end of exercises, whose series have a dataset of their own.
CREATE INDEX series_dataset ON series (tenant_id, dataset) WHERE dataset <> '';

-- Ingest nodes: the number is the upper part of every raw message id, so two never collide.
-- stored_up_to moves in the transaction that stores the messages before it: what is stored is
-- never stored again, whenever ingest or the server is killed.
CREATE TABLE ingest_node (
    id          smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    spool       uuid NOT NULL UNIQUE,
    stored_up_to bigint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Who sent on which topic and which version of an adapter read it: a raw message names the row.
-- Only topics of registered devices come here, so made-up ones cannot fill it.
CREATE TABLE origin (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    vendor      text NOT NULL,
    device      text NOT NULL,
    topic       text NOT NULL,
    adapter     text NOT NULL,
    UNIQUE (tenant_id, topic, adapter)
);

-- Same key, other value: the earlier value is kept here, the later one stands (flag CORRECTED).
-- At most 100 of one key.
CREATE TABLE correction (
    series_id   integer NOT NULL,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    raw_id      bigint NOT NULL,
    value       double precision,
    quality     smallint NOT NULL,
    document    jsonb,
    corrected_at timestamptz NOT NULL DEFAULT now(),
    corrected_by bigint NOT NULL,
    PRIMARY KEY (series_id, observed_at, corrected_by)
);
CREATE INDEX correction_old ON correction (observed_at);

CREATE TABLE latest (
    series_id   integer PRIMARY KEY,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    raw_id      bigint NOT NULL,
    value       double precision,
    quality     smallint NOT NULL,
    document    jsonb
) WITH (fillfactor = 70); -- room for HOT updates: the row moves with every batch

CREATE TABLE dead_letter (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    raw_id      bigint NOT NULL,
    received_at timestamptz NOT NULL,
    vendor      text NOT NULL,
    device      text NOT NULL,
    topic       text NOT NULL,
    payload     bytea NOT NULL,
    reason      text NOT NULL,
    detail      text NOT NULL,
    path        text NOT NULL,
    hint        text NOT NULL,
    replayed_at timestamptz,
    UNIQUE (raw_id, path, reason)
);
CREATE INDEX dead_letter_recent ON dead_letter (tenant_id, received_at DESC);
CREATE INDEX dead_letter_old ON dead_letter (received_at);

-- A queue: a row is deleted in the transaction that performs its effects.
CREATE TABLE event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('observation', 'alert')),
    status      text NOT NULL CHECK (status IN ('Actual', 'Exercise')),
    run         text NOT NULL,
    dataset     text NOT NULL,
    at          timestamptz NOT NULL,
    document    jsonb NOT NULL,
    failed_at   timestamptz,
    error       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'Actual') = (run = ''))
);
-- A lane is a city on an occasion; 'Actual' sorts before 'Exercise'.
CREATE INDEX event_waiting ON event (status, tenant_id, run, id) WHERE failed_at IS NULL;
CREATE INDEX event_failed ON event (failed_at) WHERE failed_at IS NOT NULL;

-- Alerts, ours and other authorities'. status and run are part of every key that chains them,
-- so that no chain can lead from an exercise to an actual.
CREATE TABLE alert (
    tenant_id   text NOT NULL REFERENCES tenant (id),
    identifier  text NOT NULL,
    status      text NOT NULL CHECK (status IN ('Actual', 'Exercise')),
    run         text NOT NULL,
    sender      text NOT NULL,
    sent        timestamptz NOT NULL,
    message_type text NOT NULL,
    ours        boolean NOT NULL,
    source      text NOT NULL,
    level       smallint NOT NULL,
    situation   text NOT NULL DEFAULT '',
    supersedes  text NOT NULL DEFAULT '',
    valid_until timestamptz,
    superseded_at timestamptz,
    raw_id      bigint,
    document    jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, status, run, identifier),
    CHECK ((status = 'Actual') = (run = ''))
);
CREATE INDEX alert_newest ON alert (tenant_id, status, sent DESC, identifier DESC);
CREATE INDEX alert_in_force ON alert (tenant_id, status, run, ours) WHERE superseded_at IS NULL;
CREATE INDEX alert_supersedes ON alert (tenant_id, status, run, supersedes)
    WHERE superseded_at IS NULL;
CREATE INDEX alert_last ON alert (valid_until) WHERE ours AND superseded_at IS NULL;

CREATE TABLE situation (
    tenant_id   text NOT NULL REFERENCES tenant (id),
    status      text NOT NULL,
    run         text NOT NULL,
    service     text NOT NULL,
    key         text NOT NULL,
    level       smallint NOT NULL,
    peak        smallint NOT NULL,
    revision    integer NOT NULL,
    opened_at   timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL,
    in_force    text,
    PRIMARY KEY (tenant_id, status, run, service, key),
    FOREIGN KEY (tenant_id, status, run, in_force)
        REFERENCES alert (tenant_id, status, run, identifier),
    CHECK ((status = 'Actual') = (run = ''))
);

CREATE TABLE proposal (
    tenant_id   text NOT NULL REFERENCES tenant (id),
    id          text NOT NULL,
    status      text NOT NULL CHECK (status IN ('Actual', 'Exercise')),
    run         text NOT NULL,
    service     text NOT NULL,
    situation   text NOT NULL,
    revision    integer NOT NULL,
    level       smallint NOT NULL,
    state       text NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'superseded')),
    document    jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    decided_at  timestamptz,
    decided_by  text,
    decision_note text,
    alert_identifier text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, status, run, service, situation, revision),
    FOREIGN KEY (tenant_id, status, run, alert_identifier)
        REFERENCES alert (tenant_id, status, run, identifier),
    CHECK ((status = 'Actual') = (run = ''))
);
CREATE INDEX proposal_newest ON proposal (tenant_id, state, created_at DESC);

CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL,
    status      text NOT NULL,
    run         text NOT NULL,
    identifier  text NOT NULL,
    channel     text NOT NULL,
    situation   text NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT now(),
    last_error  text,
    delivered_at timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, status, run, identifier)
        REFERENCES alert (tenant_id, status, run, identifier)
);
CREATE INDEX outbox_due ON outbox (channel, status, tenant_id, run, situation, id)
    WHERE delivered_at IS NULL;
CREATE INDEX outbox_delivered ON outbox (delivered_at) WHERE delivered_at IS NOT NULL;
CREATE INDEX outbox_alert ON outbox (tenant_id, status, run, identifier);

CREATE TABLE api_key (
    id          text PRIMARY KEY,
    tenant_id   text NOT NULL REFERENCES tenant (id),
    name        text NOT NULL,
    role        text NOT NULL CHECK (role IN ('reader', 'official', 'admin')),
    digest      bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
