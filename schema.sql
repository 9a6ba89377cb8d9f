-- Holdfast: the database as it is.
--
-- Read this first. The migrations produce exactly this (tests/kernel/test_schema.py proves it).
--
-- Four ideas carry it:
--   1. `claim` is the ledger: who occupies which unit of which resource when. One exclusion
--      constraint on it makes a double booking impossible, whatever the code above does.
--   2. Every change writes its history row and its event in its own transaction.
--   3. Every key starts with tenant_id, and every table has row-level security: a transaction
--      sees the tenants it named in `holdfast.tenants`, and none when it named none. Statements
--      name the tenant as well, which is also what their indexes are searched by.
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

-- Whether this transaction sees all tenants: `holdfast.tenants` is '*' (ticks, audit, platform administrators).
CREATE FUNCTION sees_all_tenants() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT current_setting('holdfast.tenants', true) = '*'
$$;

-- The tenants it sees otherwise: the comma-separated list in `holdfast.tenants`. Unset, empty or '*': NULL, so
-- `= ANY (NULL)` is no rows. Anything else raises an error.
CREATE FUNCTION visible_tenants() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT string_to_array(nullif(nullif(current_setting('holdfast.tenants', true), ''), '*'), ',')::uuid[]
$$;

-- Tries to take transaction-level advisory locks, in the order given; returns the ones it got.
CREATE FUNCTION try_locks(keys bigint[]) RETURNS bigint[] LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(array_agg(key ORDER BY place) FILTER (WHERE pg_try_advisory_xact_lock(key)), '{}')
      FROM unnest(keys) WITH ORDINALITY AS wanted (key, place)
$$;

-- Takes transaction-level advisory locks, in the order given, which must be the same for all: so nobody
-- who waits holds one that comes later, and no deadlock can form. Waits until 100 ms have gone, and from
-- then on takes only what is free; returns the ones it got.
CREATE FUNCTION take_locks(keys bigint[]) RETURNS bigint[] LANGUAGE plpgsql VOLATILE
    SET lock_timeout = '100ms'
AS $$
DECLARE
    waits_until timestamptz := clock_timestamp() + interval '100 ms';
    taken bigint[] := '{}';
    key bigint;
BEGIN
    FOREACH key IN ARRAY keys LOOP
        IF pg_try_advisory_xact_lock(key) THEN
            taken := taken || key;
        ELSIF clock_timestamp() < waits_until THEN
            BEGIN
                PERFORM pg_advisory_xact_lock(key);
                taken := taken || key;
            EXCEPTION WHEN lock_not_available THEN
                waits_until := '-infinity';
            END;
        END IF;
    END LOOP;
    RETURN taken;
END
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
    stay          jsonb,                           -- place/opening/stay.py: StayTimes; NULL: it sells no nights
    questions     jsonb       NOT NULL DEFAULT '[]', -- place/document.py: list of Question
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
    takes                 text    NOT NULL DEFAULT 'party', -- what takes a unit: the party, or each of its guests
    group_slug            text,                     -- its type: rooms of one type stand in for each other
    part_ids              uuid[]  NOT NULL DEFAULT '{}', -- a whole: only its parts have claims
    minimum_spend         numeric,                  -- what a party has to spend here, in the venue's currency
    CONSTRAINT resource_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT resource_venue_exists FOREIGN KEY (tenant_id, venue_id) REFERENCES venue (tenant_id, id),
    CONSTRAINT resource_kind_is_known
        CHECK (kind IN ('lane', 'table', 'room', 'section', 'facility', 'seat')),
    CONSTRAINT resource_seats_are_ordered CHECK (0 < seats_min AND seats_min <= seats_max),
    CONSTRAINT resource_has_units CHECK (units BETWEEN 1 AND 1000),
    CONSTRAINT resource_takes_are_known CHECK (takes IN ('party', 'guests')),
    CONSTRAINT resource_whole_has_no_units CHECK (part_ids = '{}' OR (units = 1 AND takes = 'party')),
    CONSTRAINT resource_minimum_spend_is_not_negative CHECK (minimum_spend >= 0)
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

-- What a booking counts for in rules of fair use per group: the venue with each of its groups. A uuid has one length, so
-- no two of these are alike by chance; and no extension is needed to search by venue and group in one index.
CREATE FUNCTION booked_for(venue_id uuid, booked_groups text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT array_agg(venue_id::text || name) FROM unnest(booked_groups) AS of_guest (name) $$;

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
    preferences     jsonb       NOT NULL DEFAULT '{}', -- what it asked for where it named no resources; with a
                                                    -- group, resource_ids is empty until one is bound
    chosen_by       text        NOT NULL DEFAULT 'guest', -- who chose the resources: the guest or the house
    length_asked    boolean     NOT NULL DEFAULT true, -- false: it has the usual length of its party
    nights          integer,                        -- of a stay; NULL: no stay
    price_lines     jsonb       NOT NULL DEFAULT '[]', -- port/lines.py: list of PriceLine
    minimum_spend_minor bigint  NOT NULL DEFAULT 0, -- what the party has to spend; no part of the total
    extras          jsonb       NOT NULL DEFAULT '[]', -- [{id, quantity}]
    discount_code   text,
    answers         jsonb       NOT NULL DEFAULT '{}', -- id of the venue's question -> the guest's answer
    overrides       jsonb       NOT NULL DEFAULT '[]', -- [{code, reason, actor}]: rules that staff overruled
    tax_included    boolean     NOT NULL DEFAULT false, -- whether the base has the tax in it
    deposit_minor   bigint      NOT NULL DEFAULT 0, -- the part that is paid in advance
    minutes_asked   boolean     NOT NULL DEFAULT false, -- its length was asked for in minutes; otherwise a
                                                   -- move keeps its end on the clock
    arrival_on      date,                          -- the date of the first night of a stay
    booked_ip       inet,                          -- rules of fair use: the address it counts for, and the groups
    booked_groups   text[]      NOT NULL DEFAULT '{}', -- of its guest; forgotten when no rule can need them
    items           jsonb       NOT NULL DEFAULT '[]', -- booking/said.py: list of Item; of an order of several things
    CONSTRAINT booking_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT booking_reference_is_unique UNIQUE (tenant_id, reference),
    CONSTRAINT booking_venue_exists FOREIGN KEY (tenant_id, venue_id) REFERENCES venue (tenant_id, id),
    CONSTRAINT booking_status_is_known CHECK (status IN (
        'HELD', 'PENDING', 'RESERVED', 'PENDING_APPROVAL', 'CAPACITY_VERIFIED', 'ASSIGNMENT_PENDING',
        'ASSIGNMENT_IN_PROGRESS', 'ASSIGNMENT_FAILED', 'MANUAL_REVIEW', 'CONFIRMED', 'CHECKED_IN',
        'COMPLETED', 'CANCELLED', 'NO_SHOW', 'EXPIRED')),
    CONSTRAINT booking_takes_time CHECK (start_at < end_at),
    CONSTRAINT booking_has_a_party CHECK (party_size > 0),
    CONSTRAINT booking_price_adds_up CHECK (
        total_minor = base_minor + CASE WHEN tax_included THEN 0 ELSE tax_minor END - discount_minor),
    CONSTRAINT booking_resources_are_chosen_by_somebody CHECK (chosen_by IN ('guest', 'house')),
    CONSTRAINT booking_stay_has_nights CHECK (nights > 0),
    CONSTRAINT booking_stay_has_an_arrival CHECK ((arrival_on IS NULL) = (nights IS NULL)),
    CONSTRAINT booking_minimum_spend_is_not_negative CHECK (minimum_spend_minor >= 0),
    CONSTRAINT booking_hold_expires CHECK (status <> 'HELD' OR expires_at IS NOT NULL),
    CONSTRAINT booking_that_ended_is_not_due CHECK (
        due_at IS NULL OR status NOT IN ('COMPLETED', 'CANCELLED', 'NO_SHOW', 'EXPIRED'))
);

-- A booking by its id alone: /bookings/{id}.
CREATE UNIQUE INDEX booking_id_is_unique ON booking (id);
-- Lists and day views of a venue, and pacing (covers that start in a window).
CREATE INDEX booking_by_venue ON booking (tenant_id, venue_id, start_at, id);
-- "My bookings", the quota of holds per guest, and rules of fair use per guest.
CREATE INDEX booking_by_guest ON booking (tenant_id, guest_id, start_at, id) WHERE guest_id IS NOT NULL;
-- The ticks: expiry, no-show, completion. Rows that ended are not in it.
CREATE INDEX booking_due ON booking (due_at) WHERE due_at IS NOT NULL;
-- What is taken of the extras that a venue has only so many of.
CREATE INDEX booking_with_extras ON booking (tenant_id, venue_id, end_at) WHERE extras <> '[]';
-- How often a discount code is used.
CREATE INDEX booking_by_discount ON booking (tenant_id, venue_id, discount_code) WHERE discount_code IS NOT NULL;
-- Bookings of a type that have no resource yet, which a tick binds on their day.
CREATE INDEX booking_unbound ON booking (start_at) WHERE resource_ids = '{}';
-- The quota of holds per address.
CREATE INDEX booking_held_by_ip ON booking (tenant_id, hold_ip) WHERE hold_ip IS NOT NULL;
-- Rules of fair use per address, and per group: what is booked and has not ended long ago.
CREATE INDEX booking_by_address ON booking (tenant_id, venue_id, booked_ip, end_at) WHERE booked_ip IS NOT NULL;
CREATE INDEX booking_by_group ON booking USING gin (booked_for(venue_id, booked_groups))
    WITH (fastupdate = off) WHERE booked_groups <> '{}';
-- Bookings whose address and groups a tick forgets.
CREATE INDEX booking_to_forget ON booking (end_at) WHERE booked_ip IS NOT NULL OR booked_groups <> '{}';

CREATE TABLE claim (
    tenant_id   uuid      NOT NULL,
    resource_id uuid      NOT NULL,
    unit        integer   NOT NULL,                 -- 1..resource.units; means nothing outside, and may change
    during      tstzrange NOT NULL,                 -- with the buffers
    owner_kind  text      NOT NULL,                 -- unbound: a booking of a type that has no resource yet, whose
                                                    -- claim may move to any of the type; cleaning: the buffer after a party that has left
    owner_id    uuid      NOT NULL,                 -- booking.id, or the block's
    expires_at  timestamptz,                        -- of a hold: from then on it stands in nobody's way
    state       text      NOT NULL DEFAULT 'confirmed',  -- what floor plans show
    changed_by  text      NOT NULL DEFAULT 'system',     -- who made it so
    CONSTRAINT claim_never_overlaps EXCLUDE USING gist
        (tenant_id WITH =, resource_id WITH =, unit WITH =, during WITH &&),
    -- Also serves "the claims of this owner". `during` is in it because a recurring block claims one unit often.
    CONSTRAINT claim_pkey PRIMARY KEY (tenant_id, owner_id, resource_id, unit, during),
    CONSTRAINT claim_resource_exists FOREIGN KEY (tenant_id, resource_id) REFERENCES resource (tenant_id, id),
    CONSTRAINT claim_owner_kind_is_known CHECK (owner_kind IN ('booking', 'unbound', 'block', 'cleaning')),
    CONSTRAINT claim_state_is_known CHECK (state IN ('held', 'pending_approval', 'confirmed', 'blocked')),
    CONSTRAINT claim_unit_is_positive CHECK (unit >= 1),
    CONSTRAINT claim_is_a_bounded_span CHECK (
        NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)
        AND lower_inc(during) AND NOT upper_inc(during))
);

-- The archive: the claims that ended first.
CREATE INDEX claim_by_end ON claim (upper(during));

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
    sees_all boolean := sees_all_tenants();
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
     WHERE sees_all OR asked.tenant_id = ANY (visible);
END
$$;

-- What counts of the venue's bookings for a group between two instants; nothing of a tenant that is not visible.
--
-- As with claims_overlapping, row-level security would keep @> from the index, so it runs as holdfast_ledger. The
-- settings leave booking_by_group as the only way, whatever was known of the table when the plan was made.
CREATE FUNCTION bookings_of_group(of_tenant uuid, of_venue uuid, name text, from_at timestamptz, to_at timestamptz)
    RETURNS TABLE (tenant_id uuid, venue_id uuid, id uuid, start_at timestamptz, end_at timestamptz, status text,
                   expires_at timestamptz, items jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off
AS $$
#variable_conflict use_column
DECLARE
    is_visible boolean := sees_all_tenants() OR of_tenant = ANY (visible_tenants());
BEGIN
    RETURN QUERY
    SELECT b.tenant_id, b.venue_id, b.id, b.start_at, b.end_at, b.status, b.expires_at, b.items
      FROM (SELECT tenant_id, venue_id, id, start_at, end_at, status, expires_at, items FROM booking
             WHERE booked_for(venue_id, booked_groups) @> ARRAY[of_venue::text || name]
               AND booked_groups <> '{}' OFFSET 0) AS b
     WHERE b.tenant_id = of_tenant AND b.end_at > from_at AND b.start_at < to_at AND is_visible;
END
$$;

-- Claims that were over long ago, moved here by a tick so that the ledger's cost does not grow with history.
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
    operation    text        NOT NULL,              -- create, update, confirm, cancel, status, ...
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,              -- SHA-256 of who asked for what
    code         text        NOT NULL,              -- DONE, or the code of the refusal
    body         text        NOT NULL,              -- the answer, or the refusal's detail and fields
    subject_id   uuid,                              -- the booking that came of it
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (tenant_id, operation, key)
);

-- The purge of expired keys. Rows come in order of time, so inserts write to one page of it.
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

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
-- A block by its id alone: /chain/maintenance-blocks/{id}.
CREATE UNIQUE INDEX block_id_is_unique ON block (id);
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
    joined_groups    text[]      NOT NULL DEFAULT '{}', -- of the guest, as rules of fair use name them; while open
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
-- An entry by its id alone: /waitlist/{id}.
CREATE UNIQUE INDEX waitlist_entry_id_is_unique ON waitlist_entry (id);
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
-- A series by its id alone: /series/{id}.
CREATE UNIQUE INDEX series_id_is_unique ON series (id);
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
-- Jobs: what is to be done because of an event, and what failed for good
-- ---------------------------------------------------------------------------------------------

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

-- ---------------------------------------------------------------------------------------------
-- Isolation and rights
-- ---------------------------------------------------------------------------------------------

-- The application's role: not the owner, no BYPASSRLS. Connections take it on with `role=holdfast_app`.
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'holdfast_app') THEN
        CREATE ROLE holdfast_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
END $$;

-- Nobody logs in as this one: it only reads inside claims_overlapping and bookings_of_group.
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
ALTER FUNCTION bookings_of_group(uuid, uuid, text, timestamptz, timestamptz) OWNER TO holdfast_ledger;
REVOKE CREATE ON SCHEMA public FROM holdfast_ledger;
REVOKE EXECUTE ON FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]) TO holdfast_app;
REVOKE EXECUTE ON FUNCTION bookings_of_group(uuid, uuid, text, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bookings_of_group(uuid, uuid, text, timestamptz, timestamptz) TO holdfast_app;
GRANT SELECT ON claim TO holdfast_ledger;
GRANT SELECT (tenant_id, id, venue_id, booked_groups, start_at, end_at, status, expires_at, items) ON booking
    TO holdfast_ledger;
CREATE POLICY ledger_reads ON claim FOR SELECT TO holdfast_ledger USING (true);
CREATE POLICY ledger_reads ON booking FOR SELECT TO holdfast_ledger USING (true);

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
ALTER TABLE event_new       ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_new       FORCE  ROW LEVEL SECURITY;
ALTER TABLE event_log       ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_log       FORCE  ROW LEVEL SECURITY;
ALTER TABLE job             ENABLE ROW LEVEL SECURITY;
ALTER TABLE job             FORCE  ROW LEVEL SECURITY;
ALTER TABLE dead_letter     ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_letter     FORCE  ROW LEVEL SECURITY;

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

-- The sub-selects are evaluated once per statement, not once per row. No index can search by an OR: what finds
-- a statement's rows is the tenant that the statement itself names, or an id that is unique everywhere.
CREATE POLICY own_tenant ON tenant          USING ((SELECT sees_all_tenants()) OR id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON venue           USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON resource        USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON resource_join   USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON booking         USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON claim           USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON claim_archive   USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON booking_history USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON idempotency     USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON event           USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON event_new       USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON event_log       USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON job             USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON dead_letter     USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON channel        USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON block          USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON block_history  USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON waitlist_entry USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON series         USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
CREATE POLICY own_tenant ON series_booking USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));

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
GRANT SELECT, INSERT                 ON event_new       TO holdfast_app;
GRANT SELECT                         ON event_log       TO holdfast_app;
GRANT SELECT                         ON event_epoch     TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON job             TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letter     TO holdfast_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON channel        TO holdfast_app;
GRANT SELECT                         ON event_purge    TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON block          TO holdfast_app;
GRANT SELECT, INSERT                 ON block_history  TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON waitlist_entry TO holdfast_app;
GRANT SELECT, INSERT, UPDATE         ON series         TO holdfast_app;
GRANT SELECT, INSERT, DELETE         ON series_booking TO holdfast_app;

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
