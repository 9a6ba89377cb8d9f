-- All events by this one transaction, in the order of their positions; those without one come last.

INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent, created_at,
                   channel, epoch, version, written_at)
SELECT e.tenant_id, e.id, e.event_type, e.venue_id, e.subject_id, e.payload, e.actor, e.traceparent, e.created_at,
       e.channel, e.epoch, e.version, e.written_at
  FROM after.event AS e
  LEFT JOIN event_log AS l ON l.tenant_id = e.tenant_id AND l.event_id = e.id
  LEFT JOIN event_new AS n ON n.tenant_id = e.tenant_id AND n.event_id = e.id
 ORDER BY l.position NULLS LAST, n.seq;
INSERT INTO event_purge (up_to) SELECT up_to FROM after.event_purge;

-- A job of before only names its event: where that was purged meanwhile, it comes back.

INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent, created_at)
SELECT DISTINCT ON (kept.tenant_id, kept.event ->> 'id')
       kept.tenant_id, (kept.event ->> 'id')::uuid, kept.event ->> 'event_type', kept.venue_id,
       (kept.event ->> 'subject_id')::uuid, kept.event -> 'payload', kept.event ->> 'actor',
       kept.event ->> 'traceparent', (kept.event ->> 'created_at')::timestamptz
  FROM (SELECT tenant_id, venue_id, event FROM job
        UNION ALL SELECT tenant_id, venue_id, event FROM after.dead_letter) AS kept
ON CONFLICT ON CONSTRAINT event_pkey DO NOTHING;

-- Whatever no job waits for is done.

INSERT INTO event_cursor (name, xid, seq)
SELECT name, xid, seq FROM (SELECT xid, seq FROM event ORDER BY xid DESC, seq DESC LIMIT 1) AS last,
       unnest(ARRAY['reactions']) AS name;
INSERT INTO pgqueuer.pgqueuer (priority, status, entrypoint, payload, headers)
SELECT 0, 'queued', reaction,
       convert_to(jsonb_build_array(tenant_id, event ->> 'id', venue_id)::text, 'UTF8'), 'null'
  FROM job ORDER BY due_at;
INSERT INTO delivery (tenant_id, event_id, reaction, failures, first_failed_at)
SELECT tenant_id, (event ->> 'id')::uuid, reaction, failures, first_failed_at FROM job WHERE failures > 0;
INSERT INTO dead_letter (tenant_id, id, event_id, reaction, attempts, error, first_failed_at, dead_at,
                         replayed_at, replayed_by)
SELECT tenant_id, id, (event ->> 'id')::uuid, reaction, attempts, error, first_failed_at, dead_at,
       replayed_at, replayed_by
  FROM after.dead_letter;
INSERT INTO delivery (tenant_id, event_id, reaction, failures, first_failed_at, delivered_at)
SELECT tenant_id, (event ->> 'id')::uuid, reaction, 5, first_failed_at, delivered_at FROM after.dead_letter
 WHERE replayed_at IS NULL OR delivered_at IS NOT NULL
ON CONFLICT ON CONSTRAINT delivery_pkey DO NOTHING;

DROP TABLE after.event, event_new, event_log, after.event_purge, job, after.dead_letter;
DROP SCHEMA after;
