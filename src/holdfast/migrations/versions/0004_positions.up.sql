-- Events by position, in partitions of a month; jobs in a table of our own, written with the events that cause them.

-- Out of the way of the names of what takes their place.
CREATE SCHEMA before;
ALTER TABLE event       SET SCHEMA before;
ALTER TABLE event_purge SET SCHEMA before;
ALTER TABLE dead_letter SET SCHEMA before;
DROP FUNCTION purge_events(integer);
DROP FUNCTION purge_dead_letters(integer);
DROP INDEX idempotency_by_age;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

-- A partition for each month of ids (UUIDv7): made ahead and dropped when old, by a tick.
CREATE TABLE event (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    event_type  text        NOT NULL,
    venue_id    uuid,
    subject_id  uuid        NOT NULL,               -- the booking, block, ... it is about
    payload     jsonb       NOT NULL,               -- ids and facts, no personal data
    actor       text        NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL,
    channel     text,                               -- of its venue: `bookings`, or a day and slot
    epoch       integer,                            -- of the channel when it was emitted
    version     bigint,                             -- its number on the channel, within the epoch
    written_at  timestamptz NOT NULL DEFAULT clock_timestamp(),  -- whatever clock created_at goes by
    CONSTRAINT event_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT event_on_a_channel_is_counted
        CHECK ((channel IS NULL) = (version IS NULL) AND (channel IS NULL) = (epoch IS NULL)
               AND (channel IS NULL OR venue_id IS NOT NULL))
) PARTITION BY RANGE (id);
-- What no month was made for: nothing is refused because a tick did not run. It moves when its month is made.
CREATE TABLE event_other PARTITION OF event DEFAULT;

-- Events without a position: each is written with its row here, in one transaction, and leaves when it is numbered.
-- `seq` is drawn under the lock of the channel's row, so that on a channel it grows in commit order.
CREATE TABLE event_new (
    seq       bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    tenant_id uuid   NOT NULL,
    event_id  uuid   NOT NULL,
    CONSTRAINT event_new_pkey PRIMARY KEY (seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0,
        autovacuum_analyze_threshold = 100000);

-- The positions of events: dense, in commit order, given after the commit by number_events().
CREATE TABLE event_log (
    position  bigint NOT NULL,
    tenant_id uuid   NOT NULL,
    event_id  uuid   NOT NULL,
    -- Serves whoever reads on from a position.
    CONSTRAINT event_log_pkey PRIMARY KEY (position, event_id)
) PARTITION BY RANGE (event_id);
CREATE TABLE event_log_other PARTITION OF event_log DEFAULT;
-- The feed of a tenant's events.
CREATE INDEX event_log_of_tenant ON event_log (tenant_id, position);

-- How far events were purged: one row, once any were.
CREATE TABLE event_purge (
    only_row boolean     NOT NULL DEFAULT true,
    position bigint      NOT NULL,
    up_to    timestamptz NOT NULL,                  -- nothing older than this need be there
    CONSTRAINT event_purge_pkey PRIMARY KEY (only_row),
    CONSTRAINT event_purge_is_one_row CHECK (only_row)
);

-- The epoch of positions: random, and another whenever this is not the database it was drawn for.
CREATE TABLE event_epoch (
    only_row boolean NOT NULL DEFAULT true,
    epoch    text    NOT NULL,
    drawn_in text    NOT NULL,
    CONSTRAINT event_epoch_pkey PRIMARY KEY (only_row),
    CONSTRAINT event_epoch_is_one_row CHECK (only_row),
    CONSTRAINT event_epoch_is_hex CHECK (epoch ~ '^[0-9a-f]{8}$')
);

-- The epoch, drawn anew where the cluster, its timeline, the database or the table is another than the one it was
-- drawn in: after a dump was restored, after a recovery to a point in time, after a fail-over. The timeline is that of
-- what is written now; pg_control_checkpoint() has the one before for minutes. A standby, which can't write, keeps it.
CREATE FUNCTION event_epoch_now() RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    here  text;
    found event_epoch;
BEGIN
    SELECT * INTO found FROM event_epoch;
    IF pg_is_in_recovery() THEN
        RETURN coalesce(found.epoch, '00000000');
    END IF;
    SELECT concat_ws('/', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8),
                     pg_database.oid, 'event'::regclass::oid)
      INTO here
      FROM pg_control_system(), pg_database WHERE datname = current_database();
    IF found.drawn_in IS DISTINCT FROM here THEN
        PERFORM set_config('synchronous_commit', 'on', true);  -- a crash must not draw it again
        INSERT INTO event_epoch (epoch, drawn_in) VALUES (left(md5(random()::text || clock_timestamp()), 8), here)
        ON CONFLICT ON CONSTRAINT event_epoch_pkey DO UPDATE
           SET epoch = excluded.epoch, drawn_in = excluded.drawn_in
         WHERE event_epoch.drawn_in <> excluded.drawn_in;
        SELECT * INTO found FROM event_epoch;
    END IF;
    RETURN found.epoch;
END
$$;

-- Gives positions to up to `most` events that were committed, in the order of their `seq`.
--
-- One at a time, by a lock taken in a statement of its own: the next statement's snapshot is younger, so it sees what
-- whoever had the lock before has committed. The whole queue is looked at from `floor_seq` on, since a transaction may
-- commit long after it drew its number. `floor_seq` counts only for the same table on the same run of the server
-- (`source`). A caller may raise it to a number of a pass before (`last_seq`) once a complete pass began when all
-- transactions that had an id then (below `next_xid`) were over (`oldest_running`).
-- It commits durably, whatever the server's default: what was read must not be numbered otherwise after a crash.
CREATE FUNCTION number_events(
    known_source text, floor_seq bigint, most integer,
    OUT epoch text, OUT head bigint, OUT is_complete boolean, OUT now timestamptz,
    OUT source text, OUT last_seq bigint, OUT oldest_running bigint, OUT next_xid bigint
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    numbered integer := 0;
BEGIN
    IF current_setting('holdfast.tenants', true) IS DISTINCT FROM '*' THEN
        RAISE EXCEPTION 'events are numbered by who sees all tenants: set holdfast.tenants to *';
    END IF;
    epoch := event_epoch_now();
    now := clock_timestamp();
    SELECT concat_ws('/', pg_postmaster_start_time(), pg_database.oid, 'event_new'::regclass::oid) INTO source
      FROM pg_database WHERE datname = current_database();
    IF source IS DISTINCT FROM known_source THEN
        floor_seq := 0;
    END IF;
    is_complete := pg_try_advisory_xact_lock(7308613714020265332);
    oldest_running := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    head := greatest((SELECT position FROM event_log ORDER BY position DESC LIMIT 1),
                     (SELECT position FROM event_purge), 0);
    IF is_complete THEN
        PERFORM set_config('synchronous_commit', 'on', true);
        WITH next AS (
            DELETE FROM event_new
             WHERE seq = ANY (ARRAY(SELECT e.seq FROM event_new AS e WHERE e.seq > floor_seq
                                     ORDER BY e.seq LIMIT most))
         RETURNING seq, tenant_id, event_id
        ), placed AS (
            INSERT INTO event_log (position, tenant_id, event_id)
            SELECT head + row_number() OVER (ORDER BY next.seq), next.tenant_id, next.event_id FROM next
        )
        SELECT count(*), max(seq) INTO numbered, last_seq FROM next;
        head := head + numbered;
        is_complete := numbered < most;
    END IF;
    next_xid := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
END
$$;

-- The first id (UUIDv7) of a month: its milliseconds, then zeros.
CREATE FUNCTION first_id_of(month date) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT rpad(lpad(to_hex((extract(epoch FROM month::timestamp) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- Makes the months that are missing, from this one to `ahead` months on.
CREATE FUNCTION add_event_months(ahead integer) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    month  date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    parent text;
    part   text;
BEGIN
    FOR place IN 0..ahead LOOP
        FOREACH parent IN ARRAY ARRAY['event', 'event_log'] LOOP
            part := parent || to_char(month, '_YYYY_MM');
            IF to_regclass(part) IS NULL THEN
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, parent);
                EXECUTE format(
                    'WITH moved AS (DELETE FROM %1$I WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *)
                     INSERT INTO %5$I SELECT * FROM moved',
                    parent || '_other', CASE parent WHEN 'event' THEN 'id' ELSE 'event_id' END,
                    first_id_of(month), first_id_of((month + interval '1 month')::date), part);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
                    first_id_of(month), first_id_of((month + interval '1 month')::date));
            END IF;
        END LOOP;
        month := (month + interval '1 month')::date;
    END LOOP;
END
$$;

-- Drops the months that ended more than `kept_days` ago, and up to `most` events as old that no month was made for;
-- returns how many of these. A month with an event that has no position yet stays: nobody has read that one.
CREATE FUNCTION drop_event_months(kept_days integer, most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    month   date;
    before  date := (now() AT TIME ZONE 'UTC' - make_interval(days => kept_days))::date;
    suffix  text;
    last    bigint;
    purged  bigint := 0;
    handled integer;
BEGIN
    IF current_setting('holdfast.tenants', true) IS DISTINCT FROM '*' THEN
        RETURN 0;  -- nothing is old for whoever does not see all that might still be needed
    END IF;
    FOR month IN
        SELECT to_date(right(relname, 7), 'YYYY_MM') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
         WHERE inhparent = 'event'::regclass AND relname ~ '_[0-9]{4}_[0-9]{2}$' ORDER BY 1
    LOOP
        EXIT WHEN month + interval '1 month' > before;
        CONTINUE WHEN EXISTS (SELECT FROM event_new WHERE event_id >= first_id_of(month)
                                 AND event_id < first_id_of((month + interval '1 month')::date));
        suffix := to_char(month, '_YYYY_MM');
        EXECUTE format('SELECT max(position) FROM %I', 'event_log' || suffix) INTO last;
        purged := greatest(purged, last);
        EXECUTE format('DROP TABLE %I, %I', 'event' || suffix, 'event_log' || suffix);
    END LOOP;
    WITH gone AS (
        DELETE FROM event_log_other
         WHERE position = ANY (ARRAY(SELECT position FROM event_log_other
                                      WHERE event_id < first_id_of(before) ORDER BY position LIMIT most))
     RETURNING position, tenant_id, event_id
    ), forgotten AS (
        DELETE FROM event_other USING gone
         WHERE event_other.tenant_id = gone.tenant_id AND event_other.id = gone.event_id
    )
    SELECT max(position), count(*) INTO last, handled FROM gone;
    purged := greatest(purged, last);
    IF purged > 0 THEN
        INSERT INTO event_purge (position, up_to) VALUES (purged, before)
        ON CONFLICT ON CONSTRAINT event_purge_pkey
        DO UPDATE SET position = greatest(event_purge.position, excluded.position),
                      up_to = greatest(event_purge.up_to, excluded.up_to);
    END IF;
    RETURN handled;
END
$$;

-- Written in the transaction of the event, where anybody waits for it, and removed in the transaction that does the
-- work: that the row is gone is the mark that it was done. It carries its event, whatever becomes of the table.
CREATE TABLE job (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    lane            text        NOT NULL,           -- a slow lane holds up no other
    reaction        text        NOT NULL,
    venue_id        uuid,
    turn            uuid        NOT NULL GENERATED ALWAYS AS (coalesce(venue_id, id)) STORED, -- whose jobs take turns
    event           jsonb       NOT NULL,
    due_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until    timestamptz,                    -- a worker has it until then
    leases          integer     NOT NULL DEFAULT 0, -- how often one has taken it; who has it counts by this number
    vanished        integer     NOT NULL DEFAULT 0, -- how many workers have let their lease run out
    failures        integer     NOT NULL DEFAULT 0,
    first_failed_at timestamptz,
    CONSTRAINT job_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT job_failures_are_dated CHECK ((failures = 0) = (first_failed_at IS NULL)),
    CONSTRAINT job_is_leased_by_somebody CHECK (leased_until IS NULL OR leases > 0)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- Serves the search for the job of a lane that has been due longest.
CREATE INDEX job_due ON job (lane, due_at);
-- Serves the search for the first job of each venue, where one venue has very many.
CREATE INDEX job_turn ON job (lane, turn, due_at) WHERE leased_until IS NULL;
-- One job of a venue at a time in each lane. Serves the search for what is leased.
CREATE UNIQUE INDEX job_one_of_a_venue ON job (lane, turn) WHERE leased_until IS NOT NULL;

-- A job that failed for good, with its event. Replayed it is a job again, of the same id.
CREATE TABLE dead_letter (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    lane            text        NOT NULL,
    reaction        text        NOT NULL,
    venue_id        uuid,
    event           jsonb       NOT NULL,
    attempts        integer     NOT NULL,
    error           text        NOT NULL,
    first_failed_at timestamptz NOT NULL,
    dead_at         timestamptz NOT NULL,
    replayed_at     timestamptz,
    replayed_by     text,
    delivered_at    timestamptz,                    -- when a replay succeeded
    CONSTRAINT dead_letter_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT dead_letter_has_attempts CHECK (attempts > 0),
    CONSTRAINT dead_letter_replay_has_an_actor CHECK ((replayed_at IS NULL) = (replayed_by IS NULL)),
    CONSTRAINT dead_letter_is_delivered_by_a_replay CHECK (delivered_at IS NULL OR replayed_at IS NOT NULL)
);
-- Serves the list, newest first, of one tenant or of all, and the search for one by its id alone.
CREATE UNIQUE INDEX dead_letter_id_is_unique ON dead_letter (id);
-- Serves the purge of those that were replayed long ago.
CREATE INDEX dead_letter_replayed ON dead_letter (replayed_at) WHERE replayed_at IS NOT NULL;

ALTER TABLE event       ENABLE ROW LEVEL SECURITY;
ALTER TABLE event       FORCE  ROW LEVEL SECURITY;
ALTER TABLE event_new   ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_new   FORCE  ROW LEVEL SECURITY;
ALTER TABLE event_log   ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_log   FORCE  ROW LEVEL SECURITY;
ALTER TABLE job         ENABLE ROW LEVEL SECURITY;
ALTER TABLE job         FORCE  ROW LEVEL SECURITY;
ALTER TABLE dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_letter FORCE  ROW LEVEL SECURITY;

CREATE POLICY own_tenant ON event       USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON event_new   USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON event_log   USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON job         USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON dead_letter USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));

GRANT SELECT, INSERT                 ON event       TO holdfast_app;
GRANT SELECT, INSERT                 ON event_new   TO holdfast_app;
GRANT SELECT                         ON event_log   TO holdfast_app;
GRANT SELECT                         ON event_purge TO holdfast_app;
GRANT SELECT                         ON event_epoch TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON job         TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letter TO holdfast_app;

REVOKE EXECUTE ON FUNCTION event_epoch_now()                             FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION number_events(text, bigint, integer)          FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION add_event_months(integer)                     FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION drop_event_months(integer, integer)           FROM PUBLIC;
GRANT  EXECUTE ON FUNCTION event_epoch_now()                             TO holdfast_app;
GRANT  EXECUTE ON FUNCTION number_events(text, bigint, integer)          TO holdfast_app;
GRANT  EXECUTE ON FUNCTION add_event_months(integer)                     TO holdfast_app;
GRANT  EXECUTE ON FUNCTION drop_event_months(integer, integer)           TO holdfast_app;

-- The months from now on; a tick goes on with it.
SELECT add_event_months(3);

-- The events there are, in the order in which they were read until now. Their months are made; what is of none goes
-- into the default partition.

DO $$
DECLARE
    month  date;
    parent text;
BEGIN
    FOR month IN
        SELECT DISTINCT date_trunc('month', to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint
                                                         / 1000.0) AT TIME ZONE 'UTC')::date
          FROM before.event WHERE substr(id::text, 15, 1) = '7' ORDER BY 1 LIMIT 120
    LOOP
        FOREACH parent IN ARRAY ARRAY['event', 'event_log'] LOOP
            IF to_regclass(parent || to_char(month, '_YYYY_MM')) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    parent || to_char(month, '_YYYY_MM'), parent,
                    first_id_of(month), first_id_of((month + interval '1 month')::date));
            END IF;
        END LOOP;
    END LOOP;
END
$$;

INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent, created_at,
                   channel, epoch, version, written_at)
SELECT tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent, created_at,
       channel, epoch, version, written_at
  FROM before.event;
INSERT INTO event_log (position, tenant_id, event_id)
SELECT row_number() OVER (ORDER BY xid, seq), tenant_id, id FROM before.event;
INSERT INTO event_purge (position, up_to) SELECT 0, up_to FROM before.event_purge;

-- What was not delivered yet: jobs that wait, and events that no job was made of. Every such event becomes a job of the
-- reaction that is left; one that finds nothing to do ends at once.

CREATE FUNCTION event_as_json(e before.event) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'id', e.id, 'tenant_id', e.tenant_id, 'event_type', e.event_type, 'venue_id', e.venue_id,
        'subject_id', e.subject_id, 'payload', e.payload, 'actor', e.actor, 'created_at', e.created_at,
        'traceparent', e.traceparent, 'channel', e.channel)
$$;

INSERT INTO job (tenant_id, id, lane, reaction, venue_id, event)
SELECT e.tenant_id, gen_random_uuid(), 'planning', wanted.reaction, e.venue_id, event_as_json(e)
  FROM before.event AS e,
       LATERAL (SELECT 'promote_freed' AS reaction
                 WHERE e.event_type IN ('booking.cancelled', 'booking.expired', 'booking.no_show', 'booking.completed',
                                        'booking.updated', 'booking.confirmed', 'booking.status_changed',
                                        'block.cancelled', 'block.updated', 'waitlist.joined')) AS wanted
 WHERE ((e.xid, e.seq) > (SELECT xid, seq FROM event_cursor WHERE name = 'reactions')
        OR NOT EXISTS (SELECT FROM event_cursor WHERE name = 'reactions')
        OR EXISTS (SELECT FROM pgqueuer.pgqueuer AS q
                    WHERE q.entrypoint = wanted.reaction
                      AND convert_from(q.payload, 'UTF8')::jsonb ->> 1 = e.id::text))
   AND NOT EXISTS (SELECT FROM delivery AS d
                    WHERE d.tenant_id = e.tenant_id AND d.event_id = e.id AND d.reaction = wanted.reaction
                      AND (d.delivered_at IS NOT NULL OR d.failures >= 5));

INSERT INTO dead_letter (tenant_id, id, lane, reaction, venue_id, event, attempts, error, first_failed_at, dead_at,
                         replayed_at, replayed_by, delivered_at)
SELECT dead.tenant_id, dead.id, 'planning', dead.reaction, e.venue_id, event_as_json(e), dead.attempts, dead.error,
       dead.first_failed_at, dead.dead_at, dead.replayed_at, dead.replayed_by,
       CASE WHEN dead.replayed_at IS NOT NULL THEN d.delivered_at END
  FROM before.dead_letter AS dead
  JOIN before.event AS e ON e.tenant_id = dead.tenant_id AND e.id = dead.event_id
  LEFT JOIN delivery AS d ON d.tenant_id = dead.tenant_id AND d.event_id = dead.event_id
                         AND d.reaction = dead.reaction;

DROP FUNCTION event_as_json(before.event);
DROP TABLE before.dead_letter, delivery, event_cursor, before.event, before.event_purge;
DROP SCHEMA before;
DROP SCHEMA pgqueuer CASCADE;
