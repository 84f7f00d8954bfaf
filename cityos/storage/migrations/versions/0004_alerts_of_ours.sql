-- Every open page asks for the orders that were ended lately: they are few among all alerts kept.
CREATE INDEX alert_ours ON alert (tenant_id, status, sent DESC, identifier DESC) WHERE ours;
