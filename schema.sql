-- Holdfast: the database as it is.
--
-- Read this first. The migrations produce exactly this (tests/kernel/test_schema.py proves it).
--
-- Four ideas carry it:
--   1. `claim` is the ledger: who occupies which unit of which resource when. One exclusion
--      constraint on it makes a double booking impossible, whatever the code above does.
--   2. Every change writes its history row and its event in its own transaction.
--   3. Every key starts with tenant_id, and every table has row-level security: a transaction
--      sees the tenants it named in `holdfast.tenants`, and none when it named none.
--   4. Instants are UTC (timestamptz); spans are half-open [start, end). Money is in minor units
--      of the currency (cents, for most).

CREATE EXTENSION IF NOT EXISTS btree_gist;  -- uuid and integer equality inside the GiST constraint

-- ---------------------------------------------------------------------------------------------
-- Tenants, and who sees what
-- ---------------------------------------------------------------------------------------------

CREATE TABLE tenant (
    id          uuid        NOT NULL,
    slug        text        NOT NULL,
    name        text        NOT NULL,
    version     integer     NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    CONSTRAINT tenant_pkey PRIMARY KEY (id),
    CONSTRAINT tenant_slug_is_unique UNIQUE (slug),
    CONSTRAINT tenant_slug_is_a_slug CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')
);

-- The tenants this transaction may see: the comma-separated list in `holdfast.tenants`, or all of
-- them for '*' (ticks, audit, platform administrators). Unset: NULL, so `= ANY (NULL)` is no rows.
CREATE FUNCTION visible_tenants() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE setting WHEN '*' THEN (SELECT array_agg(id) FROM tenant)
                        ELSE string_to_array(nullif(setting, ''), ',')::uuid[] END
      FROM current_setting('holdfast.tenants', true) AS setting
$$;

-- Tries to take transaction-level advisory locks, in the order given; returns the ones it got.
CREATE FUNCTION try_locks(keys bigint[]) RETURNS bigint[] LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(array_agg(key ORDER BY place) FILTER (WHERE pg_try_advisory_xact_lock(key)), '{}')
      FROM unnest(keys) WITH ORDINALITY AS wanted (key, place)
$$;

-- ---------------------------------------------------------------------------------------------
-- Places
-- ---------------------------------------------------------------------------------------------

CREATE TABLE venue (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    slug          text        NOT NULL,
    name          text        NOT NULL,
    kind          text        NOT NULL,
    timezone      text        NOT NULL,            -- IANA name
    currency      text        NOT NULL,            -- ISO 4217
    policy        jsonb       NOT NULL,            -- place/policy.py: Policy
    hours         jsonb       NOT NULL,            -- place/document.py: Hours
    slots         jsonb       NOT NULL,            -- place/document.py: list of Slot
    version       integer     NOT NULL DEFAULT 1,  -- of the venue's own fields, for If-Match
    rules_version bigint      NOT NULL DEFAULT 1,  -- grows with every change that decides on bookings,
                                                   -- its resources' too: a cached snapshot that is
                                                   -- older can't decide
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT venue_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT venue_slug_is_unique UNIQUE (tenant_id, slug),
    CONSTRAINT venue_tenant_exists FOREIGN KEY (tenant_id) REFERENCES tenant (id),
    CONSTRAINT venue_currency_is_iso CHECK (currency ~ '^[A-Z]{3}$')
);

-- A venue by its id alone, for requests that name no tenant (the id is a UUIDv7, unique everywhere).
CREATE UNIQUE INDEX venue_id_is_unique ON venue (id);

CREATE TABLE resource (
    tenant_id             uuid    NOT NULL,
    id                    uuid    NOT NULL,
    venue_id              uuid    NOT NULL,
    slug                  text    NOT NULL,
    name                  text    NOT NULL,
    kind                  text    NOT NULL,
    zone                  text,
    seats_min             integer NOT NULL,
    seats_max             integer NOT NULL,
    units                 integer NOT NULL,         -- 1 = exclusive, N = split capacity
    buffer_before_minutes integer,                  -- NULL: the policy's
    buffer_after_minutes  integer,
    attributes            jsonb   NOT NULL,
    position              jsonb,                    -- floor plan: x, y, w, h, rotation, shape
    hours                 jsonb,                    -- overrides the venue's altogether
    sort_order            integer NOT NULL,
    active                boolean NOT NULL,
    removed_at            timestamptz,              -- set by DELETE: history keeps pointing here
    version               integer NOT NULL DEFAULT 1,
    CONSTRAINT resource_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT resource_venue_exists FOREIGN KEY (tenant_id, venue_id) REFERENCES venue (tenant_id, id),
    CONSTRAINT resource_kind_is_known
        CHECK (kind IN ('lane', 'table', 'room', 'section', 'facility', 'seat')),
    CONSTRAINT resource_seats_are_ordered CHECK (0 < seats_min AND seats_min <= seats_max),
    CONSTRAINT resource_has_units CHECK (units BETWEEN 1 AND 1000)
);

-- One slug per venue among the resources that are still there; also serves "resources of a venue".
CREATE UNIQUE INDEX resource_slug_is_unique ON resource (tenant_id, venue_id, slug) WHERE removed_at IS NULL;

-- A resource by its id alone: /resources/{id}.
CREATE UNIQUE INDEX resource_id_is_unique ON resource (id);

-- Which resources combine: edges of a graph, each stored once.
CREATE TABLE resource_join (
    tenant_id  uuid    NOT NULL,
    venue_id   uuid    NOT NULL,
    a_id       uuid    NOT NULL,
    b_id       uuid    NOT NULL,
    seats_lost integer NOT NULL,                    -- seats that go when the two are put together
    CONSTRAINT resource_join_pkey PRIMARY KEY (tenant_id, venue_id, a_id, b_id),
    CONSTRAINT resource_join_a_exists FOREIGN KEY (tenant_id, a_id) REFERENCES resource (tenant_id, id),
    CONSTRAINT resource_join_b_exists FOREIGN KEY (tenant_id, b_id) REFERENCES resource (tenant_id, id),
    CONSTRAINT resource_join_is_stored_once CHECK (a_id < b_id),
    CONSTRAINT resource_join_loses_no_less_than_nothing CHECK (seats_lost >= 0)
);

-- ---------------------------------------------------------------------------------------------
-- Bookings and the ledger
-- ---------------------------------------------------------------------------------------------

CREATE TABLE booking (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,           -- UUIDv7
    venue_id        uuid        NOT NULL,
    reference       text        NOT NULL,           -- BR-YYYYMMDD-XXXXXX
    status          text        NOT NULL,
    version         integer     NOT NULL,           -- grows by one with every change
    start_at        timestamptz NOT NULL,
    end_at          timestamptz NOT NULL,
    local_start     timestamp   NOT NULL,           -- the venue's wall time, as it was agreed
    local_end       timestamp   NOT NULL,
    timezone        text        NOT NULL,
    slot_id         text,
    party_size      integer     NOT NULL,
    resource_ids    uuid[]      NOT NULL,           -- what was booked; what is occupied is in claim
    guest_id        text,
    guest_name      text,
    guest_email     text,
    guest_phone     text,
    base_minor      bigint      NOT NULL,
    tax_minor       bigint      NOT NULL,
    discount_minor  bigint      NOT NULL,
    total_minor     bigint      NOT NULL,
    currency        text        NOT NULL,
    price_source    text        NOT NULL,
    payment_intent_id        text,
    payment_status           text,
    inventory_reservation_id text,
    idempotency_key text,
    special_requests text,
    internal_notes  text,                           -- staff only
    source          text        NOT NULL,
    metadata        jsonb       NOT NULL DEFAULT '{}',
    hold_ip         inet,                           -- quota of open holds; cleared when it is no hold
    cancellation_reason text,
    cancelled_by    text,
    expires_at      timestamptz,                    -- from then on it occupies nothing, swept or not
    due_at          timestamptz,                    -- when a tick must look at it next: the expiry, the
                                                    -- end of the no-show grace, or the end of the visit
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    confirmed_at    timestamptz,
    cancelled_at    timestamptz,
    checked_in_at   timestamptz,
    completed_at    timestamptz,
    shared_facility_owner_tenant_id uuid,
    CONSTRAINT booking_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT booking_reference_is_unique UNIQUE (tenant_id, reference),
    CONSTRAINT booking_venue_exists FOREIGN KEY (tenant_id, venue_id) REFERENCES venue (tenant_id, id),
    CONSTRAINT booking_status_is_known CHECK (status IN (
        'HELD', 'PENDING', 'RESERVED', 'PENDING_APPROVAL', 'CAPACITY_VERIFIED', 'ASSIGNMENT_PENDING',
        'ASSIGNMENT_IN_PROGRESS', 'ASSIGNMENT_FAILED', 'MANUAL_REVIEW', 'CONFIRMED', 'CHECKED_IN',
        'COMPLETED', 'CANCELLED', 'NO_SHOW', 'EXPIRED')),
    CONSTRAINT booking_takes_time CHECK (start_at < end_at),
    CONSTRAINT booking_has_a_party CHECK (party_size > 0),
    CONSTRAINT booking_price_adds_up CHECK (total_minor = base_minor + tax_minor - discount_minor),
    CONSTRAINT booking_hold_expires CHECK (status <> 'HELD' OR expires_at IS NOT NULL),
    CONSTRAINT booking_that_ended_is_not_due CHECK (
        due_at IS NULL OR status NOT IN ('COMPLETED', 'CANCELLED', 'NO_SHOW', 'EXPIRED'))
);

-- Lists and day views of a venue, and pacing (covers that start in a window).
CREATE INDEX booking_by_venue ON booking (tenant_id, venue_id, start_at, id);
-- "My bookings", and the quota of holds per guest.
CREATE INDEX booking_by_guest ON booking (tenant_id, guest_id, start_at, id) WHERE guest_id IS NOT NULL;
-- The ticks: expiry, no-show, completion. Rows that ended are not in it.
CREATE INDEX booking_due ON booking (due_at) WHERE due_at IS NOT NULL;
-- The quota of holds per address.
CREATE INDEX booking_held_by_ip ON booking (tenant_id, hold_ip) WHERE hold_ip IS NOT NULL;

CREATE TABLE claim (
    tenant_id   uuid      NOT NULL,
    resource_id uuid      NOT NULL,
    unit        integer   NOT NULL,                 -- 1..resource.units
    during      tstzrange NOT NULL,                 -- with the buffers
    owner_kind  text      NOT NULL,
    owner_id    uuid      NOT NULL,                 -- booking.id, or the block's
    expires_at  timestamptz,                        -- of a hold: from then on it stands in nobody's way
    state       text      NOT NULL DEFAULT 'confirmed',  -- what floor plans show
    changed_by  text      NOT NULL DEFAULT 'system',     -- who made it so
    CONSTRAINT claim_never_overlaps EXCLUDE USING gist
        (tenant_id WITH =, resource_id WITH =, unit WITH =, during WITH &&),
    -- Also serves "the claims of this owner". `during` is in it because a recurring block claims one unit often.
    CONSTRAINT claim_pkey PRIMARY KEY (tenant_id, owner_id, resource_id, unit, during),
    CONSTRAINT claim_resource_exists FOREIGN KEY (tenant_id, resource_id) REFERENCES resource (tenant_id, id),
    CONSTRAINT claim_owner_kind_is_known CHECK (owner_kind IN ('booking', 'block')),
    CONSTRAINT claim_state_is_known CHECK (state IN ('held', 'pending_approval', 'confirmed', 'blocked')),
    CONSTRAINT claim_unit_is_positive CHECK (unit >= 1),
    CONSTRAINT claim_is_a_bounded_span CHECK (
        NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)
        AND lower_inc(during) AND NOT upper_inc(during))
);

-- The claims that share time with what is asked, given as parallel arrays; of visible tenants only.
--
-- Row-level security lets an index search by an operator only if that operator can't leak what it
-- compares, and && on ranges is not marked so: for the application's role every claim of a resource would be
-- read and then filtered. This function runs as holdfast_ledger, whose policy on claim passes every row,
-- and does the filtering by tenant itself: one probe of claim_never_overlaps per resource and span.
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

-- Claims of blocks that are over, moved here by a nightly tick so that the ledger's cost does not grow with
-- history. Bookings give theirs up when they end.
CREATE TABLE claim_archive (
    tenant_id   uuid        NOT NULL,
    resource_id uuid        NOT NULL,
    unit        integer     NOT NULL,
    during      tstzrange   NOT NULL,
    owner_kind  text        NOT NULL,
    owner_id    uuid        NOT NULL,
    archived_at timestamptz NOT NULL,
    CONSTRAINT claim_archive_pkey PRIMARY KEY (tenant_id, owner_id, resource_id, unit, during)
);

-- One row per version of a booking. Append-only: the application may insert and read, nothing else.
CREATE TABLE booking_history (
    tenant_id   uuid        NOT NULL,
    booking_id  uuid        NOT NULL,
    version     integer     NOT NULL,               -- the booking's version that this step made
    from_status text,                               -- NULL: it was created
    to_status   text        NOT NULL,
    actor       text        NOT NULL,
    action      text        NOT NULL,
    reason      text,
    metadata    jsonb       NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL,
    CONSTRAINT booking_history_pkey PRIMARY KEY (tenant_id, booking_id, version)
);

-- The first answer to each idempotency key.
CREATE TABLE idempotency (
    tenant_id    uuid        NOT NULL,
    operation    text        NOT NULL,              -- create, update, cancel
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,              -- SHA-256 of who asked for what
    code         text        NOT NULL,              -- DONE, or the code of the refusal
    body         text        NOT NULL,              -- the answer, or the refusal's detail and fields
    subject_id   uuid,                              -- the booking that came of it
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (tenant_id, operation, key)
);

-- The purge of expired keys; rows come in order of time, so a BRIN index costs inserts next to nothing.
CREATE INDEX idempotency_by_age ON idempotency USING brin (expires_at);

-- ---------------------------------------------------------------------------------------------
-- Blocks, the waitlist, series
-- ---------------------------------------------------------------------------------------------

-- Time taken off the inventory: its claims in the ledger are exactly its occurrences.
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
-- Lists, and which blocks a venue has.
CREATE INDEX block_by_venue ON block (tenant_id, venue_id, first_at, id);

-- Who changed what of a block. Append-only.
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

-- Who waits for a place; an offer is a hold in table booking.
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
-- The queue, in its order.
CREATE INDEX waitlist_entry_open ON waitlist_entry (tenant_id, venue_id, seq) WHERE status IN ('WAITING', 'OFFERED');
-- The entry that a booking is the offer of.
CREATE UNIQUE INDEX waitlist_entry_booking_is_unique ON waitlist_entry (tenant_id, booking_id)
    WHERE booking_id IS NOT NULL;
-- Lists of what came of entries.
CREATE INDEX waitlist_entry_closed ON waitlist_entry (tenant_id, venue_id, seq)
    WHERE status IN ('ACCEPTED', 'DECLINED', 'LAPSED', 'LEFT');

-- Bookings that repeat. What the bookings are is in table booking.
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

-- ---------------------------------------------------------------------------------------------
-- Events: the outbox. Everything outside the transaction reads from here.
-- ---------------------------------------------------------------------------------------------

CREATE TABLE event (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    seq         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),  -- read up to the snapshot's xmin, in
                                                                    -- (xid, seq): ids are not handed out
                                                                    -- in commit order
    event_type  text        NOT NULL,
    venue_id    uuid,
    subject_id  uuid        NOT NULL,               -- the booking, block, ... it is about
    payload     jsonb       NOT NULL,               -- ids and facts, no personal data
    actor       text        NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL,
    channel     text,                               -- of its venue: `bookings`, or a day and slot
    epoch       integer,                            -- of the channel when it was told
    version     bigint,                             -- its number on the channel, within the epoch
    written_at  timestamptz NOT NULL DEFAULT clock_timestamp(),  -- whatever clock created_at goes by
    CONSTRAINT event_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT event_on_a_channel_is_counted
        CHECK ((channel IS NULL) = (version IS NULL) AND (channel IS NULL) = (epoch IS NULL)
               AND (channel IS NULL OR venue_id IS NOT NULL))
);

-- The commit-order reader.
CREATE INDEX event_in_commit_order ON event (xid, seq);
-- The feed of a tenant's events.
CREATE INDEX event_of_tenant_in_commit_order ON event (tenant_id, xid, seq);
-- How far events were purged: one row, once any were.
CREATE TABLE event_purge (
    only_row    boolean     NOT NULL DEFAULT true,
    up_to       timestamptz NOT NULL,
    CONSTRAINT event_purge_pkey PRIMARY KEY (only_row),
    CONSTRAINT event_purge_is_one_row CHECK (only_row)
);

-- Channels: what clients follow live. The row is the counter of versions; it stays locked from when an event
-- draws its number until the commit. A channel of availability has a row from when somebody first asks for it.
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

-- ---------------------------------------------------------------------------------------------
-- Isolation and rights
-- ---------------------------------------------------------------------------------------------

-- The application's role: not the owner, no BYPASSRLS. Connections take it on with `role=holdfast_app`.
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'holdfast_app') THEN
        CREATE ROLE holdfast_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
END $$;

-- Nobody logs in as this one: it only reads the ledger inside claims_overlapping.
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'holdfast_ledger') THEN
        CREATE ROLE holdfast_ledger NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    -- To give it the function, the owner must be a member; a superuser is, of everything.
    IF NOT pg_has_role(current_user, 'holdfast_ledger', 'MEMBER') THEN
        EXECUTE format('GRANT holdfast_ledger TO %I', current_user);
    END IF;
END $$;

GRANT USAGE, CREATE ON SCHEMA public TO holdfast_ledger;
ALTER FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]) OWNER TO holdfast_ledger;
REVOKE CREATE ON SCHEMA public FROM holdfast_ledger;
REVOKE EXECUTE ON FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]) TO holdfast_app;
GRANT SELECT ON claim TO holdfast_ledger;
CREATE POLICY ledger_reads ON claim FOR SELECT TO holdfast_ledger USING (true);
GRANT SELECT ON tenant TO holdfast_ledger;  -- visible_tenants(), under the policy of tenant

ALTER TABLE tenant          ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant          FORCE  ROW LEVEL SECURITY;
ALTER TABLE venue           ENABLE ROW LEVEL SECURITY;
ALTER TABLE venue           FORCE  ROW LEVEL SECURITY;
ALTER TABLE resource        ENABLE ROW LEVEL SECURITY;
ALTER TABLE resource        FORCE  ROW LEVEL SECURITY;
ALTER TABLE resource_join   ENABLE ROW LEVEL SECURITY;
ALTER TABLE resource_join   FORCE  ROW LEVEL SECURITY;
ALTER TABLE booking         ENABLE ROW LEVEL SECURITY;
ALTER TABLE booking         FORCE  ROW LEVEL SECURITY;
ALTER TABLE claim           ENABLE ROW LEVEL SECURITY;
ALTER TABLE claim           FORCE  ROW LEVEL SECURITY;
ALTER TABLE claim_archive   ENABLE ROW LEVEL SECURITY;
ALTER TABLE claim_archive   FORCE  ROW LEVEL SECURITY;
ALTER TABLE booking_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE booking_history FORCE  ROW LEVEL SECURITY;
ALTER TABLE idempotency     ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency     FORCE  ROW LEVEL SECURITY;
ALTER TABLE event           ENABLE ROW LEVEL SECURITY;
ALTER TABLE event           FORCE  ROW LEVEL SECURITY;

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

-- The sub-select is evaluated once a statement, not once a row.
CREATE POLICY own_tenant ON tenant USING (
    (SELECT current_setting('holdfast.tenants', true)) = '*'
    OR id = ANY (string_to_array(nullif((SELECT current_setting('holdfast.tenants', true)), ''), ',')::uuid[]));
CREATE POLICY own_tenant ON venue           USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON resource        USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON resource_join   USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON booking         USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON claim           USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON claim_archive   USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON booking_history USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON idempotency     USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON event           USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON channel        USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON block          USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON block_history  USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON waitlist_entry USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON series         USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON series_booking USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));

GRANT USAGE ON SCHEMA public TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON tenant          TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON venue           TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON resource        TO holdfast_app;
GRANT SELECT, INSERT, DELETE         ON resource_join   TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON booking         TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON claim           TO holdfast_app;
GRANT SELECT, INSERT                 ON claim_archive   TO holdfast_app;
GRANT SELECT, INSERT                 ON booking_history TO holdfast_app;
GRANT SELECT, INSERT, DELETE         ON idempotency     TO holdfast_app;
GRANT SELECT, INSERT                 ON event           TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON channel        TO holdfast_app;
GRANT SELECT                         ON event_purge    TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON block          TO holdfast_app;
GRANT SELECT, INSERT                 ON block_history  TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON waitlist_entry TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON series         TO holdfast_app;
GRANT SELECT, INSERT, DELETE         ON series_booking TO holdfast_app;


-- ---------------------------------------------------------------------------------------------
-- Reactions: how far readers of events have come, what became of each, and the queue
-- ---------------------------------------------------------------------------------------------

-- The queue of jobs: PGQueuer's own objects as release 1.6.0 makes them, in a schema of their own.
-- A test compares them with what the installed release would make.

CREATE SCHEMA pgqueuer;

CREATE TYPE pgqueuer.pgqueuer_status AS ENUM ('queued', 'picked', 'successful', 'exception', 'canceled', 'deleted', 'failed');

CREATE TABLE pgqueuer.pgqueuer (
    id bigserial NOT NULL PRIMARY KEY,
    priority integer NOT NULL,
    queue_manager_id uuid,
    created timestamp with time zone NOT NULL DEFAULT now(),
    updated timestamp with time zone NOT NULL DEFAULT now(),
    heartbeat timestamp with time zone NOT NULL DEFAULT now(),
    execute_after timestamp with time zone NOT NULL DEFAULT now(),
    status pgqueuer.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL,
    dedupe_key text,
    payload bytea,
    headers jsonb,
    attempts integer NOT NULL DEFAULT 0,
    slot bigint
);

CREATE TABLE pgqueuer.pgqueuer_log (
    id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL PRIMARY KEY,
    created timestamp with time zone NOT NULL DEFAULT now(),
    job_id bigint NOT NULL,
    status pgqueuer.pgqueuer_status NOT NULL,
    priority integer NOT NULL,
    entrypoint text NOT NULL,
    traceback jsonb,
    aggregated boolean DEFAULT false
);

CREATE TABLE pgqueuer.pgqueuer_schedules (
    id bigserial NOT NULL PRIMARY KEY,
    expression text NOT NULL,
    entrypoint text NOT NULL,
    heartbeat timestamp with time zone NOT NULL DEFAULT now(),
    created timestamp with time zone NOT NULL DEFAULT now(),
    updated timestamp with time zone NOT NULL DEFAULT now(),
    next_run timestamp with time zone NOT NULL DEFAULT now(),
    last_run timestamp with time zone,
    status pgqueuer.pgqueuer_status DEFAULT 'queued'::pgqueuer.pgqueuer_status,
    UNIQUE (expression, entrypoint)
);

CREATE TABLE pgqueuer.pgqueuer_statistics (
    id bigserial NOT NULL PRIMARY KEY,
    created timestamp with time zone NOT NULL DEFAULT date_trunc('sec'::text, now()),
    count bigint NOT NULL,
    priority integer NOT NULL,
    status pgqueuer.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL
);

CREATE INDEX pgqueuer_ep_ea_idx ON pgqueuer.pgqueuer USING btree (entrypoint, execute_after) WHERE (status = 'queued'::pgqueuer.pgqueuer_status);

CREATE INDEX pgqueuer_ep_prio_id_idx ON pgqueuer.pgqueuer USING btree (entrypoint, priority DESC, id) WHERE (status = 'queued'::pgqueuer.pgqueuer_status);

CREATE INDEX pgqueuer_log_created ON pgqueuer.pgqueuer_log USING btree (created);

CREATE INDEX pgqueuer_log_job_id_status ON pgqueuer.pgqueuer_log USING btree (job_id, created DESC);

CREATE INDEX pgqueuer_log_not_aggregated ON pgqueuer.pgqueuer_log USING btree ((1)) WHERE (NOT aggregated);

CREATE INDEX pgqueuer_log_status ON pgqueuer.pgqueuer_log USING btree (status);

CREATE INDEX pgqueuer_picked_heartbeat_idx ON pgqueuer.pgqueuer USING btree (heartbeat) WHERE (status = 'picked'::pgqueuer.pgqueuer_status);

CREATE UNIQUE INDEX pgqueuer_picked_slot_idx ON pgqueuer.pgqueuer USING btree (entrypoint, slot) WHERE ((status = 'picked'::pgqueuer.pgqueuer_status) AND (slot IS NOT NULL));

CREATE INDEX pgqueuer_priority_id_id1_idx ON pgqueuer.pgqueuer USING btree (priority, id DESC) INCLUDE (id) WHERE (status = 'queued'::pgqueuer.pgqueuer_status);

CREATE INDEX pgqueuer_queue_manager_id_idx ON pgqueuer.pgqueuer USING btree (queue_manager_id) WHERE (queue_manager_id IS NOT NULL);

CREATE UNIQUE INDEX pgqueuer_statistics_unique_count ON pgqueuer.pgqueuer_statistics USING btree (priority, date_trunc('sec'::text, timezone('UTC'::text, created)), status, entrypoint);

CREATE UNIQUE INDEX pgqueuer_unique_dedupe_key ON pgqueuer.pgqueuer USING btree (dedupe_key) WHERE ((status = ANY (ARRAY['queued'::pgqueuer.pgqueuer_status, 'picked'::pgqueuer.pgqueuer_status])) AND (dedupe_key IS NOT NULL));

CREATE INDEX pgqueuer_updated_id_id1_idx ON pgqueuer.pgqueuer USING btree (updated, id DESC) INCLUDE (id) WHERE (status = 'picked'::pgqueuer.pgqueuer_status);

CREATE FUNCTION pgqueuer.fn_pgqueuer_changed() RETURNS TRIGGER AS $$
DECLARE
    to_emit BOOLEAN := false;  -- Flag to decide whether to emit a notification
BEGIN
    -- Check operation type and set the emit flag accordingly
    IF TG_OP = 'UPDATE' AND OLD IS DISTINCT FROM NEW THEN
        to_emit := true;
    ELSIF TG_OP = 'DELETE' THEN
        to_emit := true;
    ELSIF TG_OP = 'INSERT' THEN
        to_emit := true;
    ELSIF TG_OP = 'TRUNCATE' THEN
        to_emit := true;
    END IF;

    -- Perform notification if the emit flag is set
    IF to_emit THEN
        PERFORM pg_notify(
            'ch_pgqueuer',
            json_build_object(
                'channel', 'ch_pgqueuer',
                'operation', lower(TG_OP),
                'sent_at', NOW(),
                'table', TG_TABLE_NAME,
                'type', 'table_changed_event'
            )::text
        );
    END IF;

    -- Return appropriate value based on the operation
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        RETURN NEW;
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    ELSE
        RETURN NULL; -- For TRUNCATE and other non-row-specific contexts
    END IF;

END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER tg_pgqueuer_changed
AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgqueuer.pgqueuer
EXECUTE FUNCTION pgqueuer.fn_pgqueuer_changed();

-- Of what holdfast_app needs, nothing is about what jobs hold: ids of a tenant and an event.
GRANT USAGE ON SCHEMA pgqueuer TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON pgqueuer.pgqueuer            TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON pgqueuer.pgqueuer_log        TO holdfast_app;
GRANT SELECT                         ON pgqueuer.pgqueuer_statistics TO holdfast_app;
GRANT USAGE                          ON SEQUENCE pgqueuer.pgqueuer_id_seq TO holdfast_app;

-- How far readers of the event table have come, by name: `reactions` (the dispatcher) and `purged`.
-- Of no tenant: it says nothing but how many transactions there were.

CREATE TABLE event_cursor (
    name text   NOT NULL,
    xid  xid8   NOT NULL,
    seq  bigint NOT NULL,
    CONSTRAINT event_cursor_pkey PRIMARY KEY (name)
);

-- What became of an event at a reaction: delivered (the mark commits with what the reaction did), or how
-- often it has failed. It goes when its event goes.

CREATE TABLE delivery (
    tenant_id       uuid        NOT NULL,
    event_id        uuid        NOT NULL,
    reaction        text        NOT NULL,
    failures        integer     NOT NULL DEFAULT 0,
    first_failed_at timestamptz,
    delivered_at    timestamptz,
    CONSTRAINT delivery_pkey PRIMARY KEY (tenant_id, event_id, reaction),
    CONSTRAINT delivery_failures_are_dated CHECK (failures >= 0 AND (failures = 0 OR first_failed_at IS NOT NULL))
);

-- An event that a reaction failed on for good. It keeps the event from being purged.

CREATE TABLE dead_letter (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    event_id        uuid        NOT NULL,
    reaction        text        NOT NULL,
    attempts        integer     NOT NULL,
    error           text        NOT NULL,
    first_failed_at timestamptz NOT NULL,
    dead_at         timestamptz NOT NULL,
    replayed_at     timestamptz,
    replayed_by     text,
    CONSTRAINT dead_letter_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT dead_letter_event_exists FOREIGN KEY (tenant_id, event_id) REFERENCES event (tenant_id, id),
    CONSTRAINT dead_letter_is_one_for_each_reaction UNIQUE (tenant_id, event_id, reaction),
    CONSTRAINT dead_letter_has_attempts CHECK (attempts > 0),
    CONSTRAINT dead_letter_replay_has_an_actor CHECK ((replayed_at IS NULL) = (replayed_by IS NULL))
);

-- Serves the list, newest first, of one tenant or of all, and the search for one by its id alone.
CREATE UNIQUE INDEX dead_letter_id_is_unique ON dead_letter (id);
-- Serves the purge of those that were replayed long ago.
CREATE INDEX dead_letter_replayed ON dead_letter (replayed_at) WHERE replayed_at IS NOT NULL;

ALTER TABLE delivery    ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery    FORCE  ROW LEVEL SECURITY;
ALTER TABLE dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_letter FORCE  ROW LEVEL SECURITY;

CREATE POLICY own_tenant ON delivery    USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON dead_letter USING (tenant_id = ANY ((SELECT visible_tenants())::uuid[]));

GRANT SELECT, INSERT, UPDATE ON event_cursor TO holdfast_app;
GRANT SELECT, INSERT, UPDATE ON delivery     TO holdfast_app;
GRANT SELECT, INSERT, UPDATE ON dead_letter  TO holdfast_app;

-- Looks through up to `most` of the oldest events and removes those that are older than 30 days, with their
-- deliveries; answers how many it has looked through. It goes in commit order behind a cursor of its own, which
-- does not overtake that of the dispatcher: what no job was made of stays. So does what a dead letter keeps.
-- While one does it, another has nothing to do.
CREATE FUNCTION purge_events(most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    behind event_cursor;
    looked integer;
BEGIN
    INSERT INTO event_cursor (name, xid, seq) VALUES ('purged', '0', 0) ON CONFLICT DO NOTHING;
    SELECT * INTO behind FROM event_cursor WHERE name = 'purged' FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    WITH next AS (
        SELECT event.xid, event.seq, event.tenant_id, event.id,
               bool_and(event.written_at < clock_timestamp() - interval '30 days')
                   OVER (ORDER BY event.xid, event.seq) AS is_old
          FROM event
         WHERE (event.xid, event.seq) > (behind.xid, behind.seq)
           AND (event.xid, event.seq) <= (SELECT xid, seq FROM event_cursor WHERE name = 'reactions')
         ORDER BY event.xid, event.seq
         LIMIT most
    ), old AS MATERIALIZED (
        SELECT * FROM next WHERE is_old
    ), gone AS (
        DELETE FROM event USING old
         WHERE event.tenant_id = old.tenant_id AND event.id = old.id
           AND NOT EXISTS (SELECT FROM dead_letter
                            WHERE dead_letter.tenant_id = event.tenant_id AND dead_letter.event_id = event.id)
     RETURNING event.tenant_id, event.id, event.written_at
    ), forgotten AS (
        DELETE FROM delivery USING gone
         WHERE delivery.tenant_id = gone.tenant_id AND delivery.event_id = gone.id
    ), noted AS (
        INSERT INTO event_purge (up_to) SELECT max(written_at) FROM gone HAVING count(*) > 0
        ON CONFLICT (only_row) DO UPDATE SET up_to = greatest(event_purge.up_to, excluded.up_to)
    ), moved AS (
        UPDATE event_cursor SET (xid, seq) = (SELECT xid, seq FROM old ORDER BY xid DESC, seq DESC LIMIT 1)
         WHERE name = 'purged' AND EXISTS (SELECT FROM old)
    )
    SELECT count(*) INTO looked FROM old;
    RETURN looked;
END
$$;

-- Removes up to `most` dead letters that were replayed more than 30 days ago, with the events that only they
-- have kept; answers how many. Those that nobody replayed stay.
CREATE FUNCTION purge_dead_letters(most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    tenant_ids uuid[];
    event_ids uuid[];
BEGIN
    WITH gone AS (
        DELETE FROM dead_letter
         WHERE id = ANY (ARRAY(SELECT id FROM dead_letter
                                WHERE replayed_at < clock_timestamp() - interval '30 days'
                                ORDER BY replayed_at LIMIT most FOR UPDATE SKIP LOCKED))
     RETURNING tenant_id, event_id
    )
    SELECT coalesce(array_agg(tenant_id), '{}'), coalesce(array_agg(event_id), '{}')
      INTO tenant_ids, event_ids FROM gone;
    -- In a statement of its own, since this one must see that the letters are gone.
    WITH gone AS (
        DELETE FROM event USING unnest(tenant_ids, event_ids) AS old (tenant_id, id)
         WHERE event.tenant_id = old.tenant_id AND event.id = old.id
           AND (event.xid, event.seq) <= (SELECT xid, seq FROM event_cursor WHERE name = 'purged')
           AND NOT EXISTS (SELECT FROM dead_letter
                            WHERE dead_letter.tenant_id = event.tenant_id AND dead_letter.event_id = event.id)
     RETURNING event.tenant_id, event.id
    )
    DELETE FROM delivery USING gone
     WHERE delivery.tenant_id = gone.tenant_id AND delivery.event_id = gone.id;
    RETURN cardinality(event_ids);
END
$$;
REVOKE EXECUTE ON FUNCTION purge_dead_letters(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_dead_letters(integer) TO holdfast_app;
REVOKE EXECUTE ON FUNCTION purge_events(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_events(integer) TO holdfast_app;
