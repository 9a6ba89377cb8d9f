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
    CONSTRAINT claim_never_overlaps EXCLUDE USING gist
        (tenant_id WITH =, resource_id WITH =, unit WITH =, during WITH &&),
    -- Also serves "the claims of this owner". `during` is in it because a recurring block claims one unit often.
    CONSTRAINT claim_pkey PRIMARY KEY (tenant_id, owner_id, resource_id, unit, during),
    CONSTRAINT claim_resource_exists FOREIGN KEY (tenant_id, resource_id) REFERENCES resource (tenant_id, id),
    CONSTRAINT claim_owner_kind_is_known CHECK (owner_kind IN ('booking', 'block')),
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
    owner_kind text, owner_id uuid, expires_at timestamptz
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
                           upper(claim.during), claim.owner_kind, claim.owner_id, claim.expires_at
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
    CONSTRAINT event_pkey PRIMARY KEY (tenant_id, id)
);

-- The commit-order reader.
CREATE INDEX event_in_commit_order ON event (xid, seq);

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
