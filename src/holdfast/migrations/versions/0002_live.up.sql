-- Channels and their versions.

CREATE TABLE channel (
    tenant_id uuid        NOT NULL,
    venue_id  uuid        NOT NULL,
    name      text        COLLATE "C" NOT NULL,
    epoch     integer     NOT NULL DEFAULT (random() * 2147483647)::integer,
    version   bigint      NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT channel_pkey PRIMARY KEY (tenant_id, venue_id, name),
    CONSTRAINT channel_venue_exists FOREIGN KEY (tenant_id, venue_id) REFERENCES venue (tenant_id, id),
    CONSTRAINT channel_version_is_counted CHECK (version >= 0)
);

ALTER TABLE event
    ADD COLUMN channel text,
    ADD COLUMN epoch integer,
    ADD COLUMN version bigint,
    ADD COLUMN written_at timestamptz NOT NULL DEFAULT now(),  -- one value for all there are: no row is rewritten
    ADD CONSTRAINT event_on_a_channel_is_counted
        CHECK ((channel IS NULL) = (version IS NULL) AND (channel IS NULL) = (epoch IS NULL)
               AND (channel IS NULL OR venue_id IS NOT NULL));

ALTER TABLE event ALTER COLUMN written_at SET DEFAULT clock_timestamp();

-- How far events were purged: one row, once any were.
CREATE TABLE event_purge (
    only_row    boolean     NOT NULL DEFAULT true,
    up_to       timestamptz NOT NULL,
    CONSTRAINT event_purge_pkey PRIMARY KEY (only_row),
    CONSTRAINT event_purge_is_one_row CHECK (only_row)
);

-- What a claim looks like on a floor plan, and who made it so.

ALTER TABLE claim
    ADD COLUMN state text NOT NULL DEFAULT 'confirmed',
    ADD COLUMN changed_by text NOT NULL DEFAULT 'system',
    ADD CONSTRAINT claim_state_is_known CHECK (state IN ('held', 'pending_approval', 'confirmed', 'blocked'));
UPDATE claim SET state = CASE booking.status WHEN 'HELD' THEN 'held' WHEN 'PENDING' THEN 'held'
                         WHEN 'ASSIGNMENT_IN_PROGRESS' THEN 'held'
                         WHEN 'PENDING_APPROVAL' THEN 'pending_approval' ELSE 'confirmed' END
  FROM booking WHERE booking.tenant_id = claim.tenant_id AND booking.id = claim.owner_id;

DROP FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]);
CREATE FUNCTION claims_overlapping(
    tenant_ids uuid[], resource_ids uuid[], start_ats timestamptz[], end_ats timestamptz[]
) RETURNS TABLE (
    tenant_id uuid, resource_id uuid, unit integer, start_at timestamptz, end_at timestamptz,
    owner_kind text, owner_id uuid, expires_at timestamptz, state text, changed_by text
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    visible uuid[] := visible_tenants();
BEGIN
    -- OFFSET 0 keeps it one probe each, whatever the planner believes of the table's size.
    RETURN QUERY
    SELECT DISTINCT c.*
      FROM unnest(tenant_ids, resource_ids, start_ats, end_ats)
           AS asked (tenant_id, resource_id, start_at, end_at),
           LATERAL (SELECT claim.tenant_id, claim.resource_id, claim.unit, lower(claim.during),
                           upper(claim.during), claim.owner_kind, claim.owner_id, claim.expires_at,
                           claim.state, claim.changed_by
                      FROM claim
                     WHERE claim.tenant_id = asked.tenant_id AND claim.resource_id = asked.resource_id
                       AND claim.during && tstzrange(asked.start_at, asked.end_at)
                    OFFSET 0) AS c
     WHERE asked.tenant_id = ANY (visible);
END
$$;
GRANT CREATE ON SCHEMA public TO holdfast_ledger;
ALTER FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]) OWNER TO holdfast_ledger;
REVOKE CREATE ON SCHEMA public FROM holdfast_ledger;
REVOKE EXECUTE ON FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]) TO holdfast_app;

-- Blocks.

CREATE TABLE block (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    venue_id       uuid        NOT NULL,
    kind           text        NOT NULL,
    reason         text        NOT NULL,
    resource_ids   uuid[]      NOT NULL,
    local_start    timestamp   NOT NULL,
    local_end      timestamp   NOT NULL,
    timezone       text        NOT NULL,
    rrule          text,
    cancelled_from date,
    removed_at     timestamptz,
    created_by     text        NOT NULL,
    version        integer     NOT NULL,
    first_at       timestamptz NOT NULL,
    last_at        timestamptz NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT block_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT block_venue_exists FOREIGN KEY (tenant_id, venue_id) REFERENCES venue (tenant_id, id),
    CONSTRAINT block_kind_is_known
        CHECK (kind IN ('maintenance', 'vip_override', 'private_event', 'host_operations')),
    CONSTRAINT block_takes_time CHECK (local_start < local_end AND first_at < last_at),
    CONSTRAINT block_has_resources CHECK (cardinality(resource_ids) > 0)
);
-- Lists of blocks by start, and the definitions behind what is blocked, of which removed ones are a part too.
CREATE INDEX block_by_venue ON block (tenant_id, venue_id, first_at, id);

CREATE TABLE block_history (
    tenant_id  uuid        NOT NULL,
    block_id   uuid        NOT NULL,
    version    integer     NOT NULL,
    actor      text        NOT NULL,
    action     text        NOT NULL,
    changes    jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT block_history_pkey PRIMARY KEY (tenant_id, block_id, version)
);

-- The waitlist.

CREATE TABLE waitlist_entry (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL,
    venue_id         uuid        NOT NULL,
    seq              bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    status           text        NOT NULL,
    version          integer     NOT NULL,
    party_size       integer     NOT NULL,
    earliest_at      timestamptz NOT NULL,
    latest_at        timestamptz NOT NULL,
    duration_minutes integer     NOT NULL,
    resource_ids     uuid[]      NOT NULL,
    preferences      jsonb       NOT NULL,
    guest_id         text,
    guest_name       text,
    guest_email      text,
    guest_phone      text,
    booking_id       uuid,
    offer_expires_at timestamptz,
    joined_ip        inet,
    created_by       text        NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT waitlist_entry_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT waitlist_entry_venue_exists FOREIGN KEY (tenant_id, venue_id) REFERENCES venue (tenant_id, id),
    CONSTRAINT waitlist_entry_status_is_known
        CHECK (status IN ('WAITING', 'OFFERED', 'ACCEPTED', 'DECLINED', 'LAPSED', 'LEFT')),
    CONSTRAINT waitlist_entry_window_is_ordered CHECK (earliest_at <= latest_at),
    CONSTRAINT waitlist_entry_offer_is_a_booking
        CHECK (status <> 'OFFERED' OR (booking_id IS NOT NULL AND offer_expires_at IS NOT NULL)),
    CONSTRAINT waitlist_entry_address_is_of_an_open_one
        CHECK (joined_ip IS NULL OR status IN ('WAITING', 'OFFERED')),
    CONSTRAINT waitlist_entry_has_a_party CHECK (party_size > 0 AND duration_minutes > 0)
);
CREATE INDEX waitlist_entry_open ON waitlist_entry (tenant_id, venue_id, seq) WHERE status IN ('WAITING', 'OFFERED');
CREATE UNIQUE INDEX waitlist_entry_booking_is_unique ON waitlist_entry (tenant_id, booking_id)
    WHERE booking_id IS NOT NULL;
CREATE INDEX waitlist_entry_closed ON waitlist_entry (tenant_id, venue_id, seq)
    WHERE status IN ('ACCEPTED', 'DECLINED', 'LAPSED', 'LEFT');

-- Series.

CREATE TABLE series (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL,
    venue_id         uuid        NOT NULL,
    version          integer     NOT NULL,
    rrule            text        NOT NULL,
    local_start      timestamp   NOT NULL,
    duration_minutes integer     NOT NULL,
    timezone         text        NOT NULL,
    guest_id         text,
    created_by       text        NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT series_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT series_venue_exists FOREIGN KEY (tenant_id, venue_id) REFERENCES venue (tenant_id, id),
    CONSTRAINT series_takes_time CHECK (duration_minutes > 0)
);
-- Lists of series, the oldest first.
CREATE INDEX series_by_venue ON series (tenant_id, venue_id, id);

CREATE TABLE series_booking (
    tenant_id     uuid NOT NULL,
    series_id     uuid NOT NULL,
    occurrence_on date NOT NULL,
    booking_id    uuid NOT NULL,
    CONSTRAINT series_booking_pkey PRIMARY KEY (tenant_id, series_id, occurrence_on),
    CONSTRAINT series_booking_series_exists FOREIGN KEY (tenant_id, series_id) REFERENCES series (tenant_id, id),
    CONSTRAINT series_booking_is_in_one_series UNIQUE (tenant_id, booking_id)
);

-- Isolation and rights.

ALTER TABLE channel        ENABLE ROW LEVEL SECURITY;
ALTER TABLE channel        FORCE  ROW LEVEL SECURITY;
ALTER TABLE block          ENABLE ROW LEVEL SECURITY;
ALTER TABLE block          FORCE  ROW LEVEL SECURITY;
ALTER TABLE block_history  ENABLE ROW LEVEL SECURITY;
ALTER TABLE block_history  FORCE  ROW LEVEL SECURITY;
ALTER TABLE waitlist_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE waitlist_entry FORCE  ROW LEVEL SECURITY;
ALTER TABLE series         ENABLE ROW LEVEL SECURITY;
ALTER TABLE series         FORCE  ROW LEVEL SECURITY;
ALTER TABLE series_booking ENABLE ROW LEVEL SECURITY;
ALTER TABLE series_booking FORCE  ROW LEVEL SECURITY;

CREATE POLICY own_tenant ON channel        USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON block          USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON block_history  USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON waitlist_entry USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON series         USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON series_booking USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));

GRANT SELECT, INSERT, UPDATE, DELETE ON channel        TO holdfast_app;
GRANT SELECT                         ON event_purge    TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON block          TO holdfast_app;
GRANT SELECT, INSERT                 ON block_history  TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON waitlist_entry TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON series         TO holdfast_app;
GRANT SELECT, INSERT, DELETE         ON series_booking TO holdfast_app;
