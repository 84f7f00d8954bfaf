-- For each alert of another authority: which of its matter it takes the place of. An index of those
-- not superseded alone answers half of "not superseded, or later than this", which is no use.
CREATE INDEX alert_matter ON alert (tenant_id, status, run, supersedes, superseded_at);
CREATE INDEX alert_matter_sent ON alert (tenant_id, status, run, supersedes, sent);
-- For each batch of events: what stood at a time.
CREATE INDEX alert_standing ON alert (tenant_id, status, run, superseded_at) WHERE NOT ours;
DROP INDEX alert_supersedes;
