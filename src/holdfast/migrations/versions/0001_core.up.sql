-- schema.sql explains all of this.

CREATE EXTENSION IF NOT EXISTS btree_gist;

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

CREATE FUNCTION visible_tenants() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE setting WHEN '*' THEN (SELECT array_agg(id) FROM tenant)
                        ELSE string_to_array(nullif(setting, ''), ',')::uuid[] END
      FROM current_setting('holdfast.tenants', true) AS setting
$$;

CREATE FUNCTION try_locks(keys bigint[]) RETURNS bigint[] LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(array_agg(key ORDER BY place) FILTER (WHERE pg_try_advisory_xact_lock(key)), '{}')
      FROM unnest(keys) WITH ORDINALITY AS wanted (key, place)
$$;

CREATE TABLE venue (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    slug          text        NOT NULL,
    name          text        NOT NULL,
    kind          text        NOT NULL,
    timezone      text        NOT NULL,
    currency      text        NOT NULL,
    policy        jsonb       NOT NULL,
    hours         jsonb       NOT NULL,
    slots         jsonb       NOT NULL,
    version       integer     NOT NULL DEFAULT 1,
    rules_version bigint      NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT venue_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT venue_slug_is_unique UNIQUE (tenant_id, slug),
    CONSTRAINT venue_tenant_exists FOREIGN KEY (tenant_id) REFERENCES tenant (id),
    CONSTRAINT venue_currency_is_iso CHECK (currency ~ '^[A-Z]{3}$')
);

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
    units                 integer NOT NULL,
    buffer_before_minutes integer,
    buffer_after_minutes  integer,
    attributes            jsonb   NOT NULL,
    position              jsonb,
    hours                 jsonb,
    sort_order            integer NOT NULL,
    active                boolean NOT NULL,
    removed_at            timestamptz,
    version               integer NOT NULL DEFAULT 1,
    CONSTRAINT resource_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT resource_venue_exists FOREIGN KEY (tenant_id, venue_id) REFERENCES venue (tenant_id, id),
    CONSTRAINT resource_kind_is_known
        CHECK (kind IN ('lane', 'table', 'room', 'section', 'facility', 'seat')),
    CONSTRAINT resource_seats_are_ordered CHECK (0 < seats_min AND seats_min <= seats_max),
    CONSTRAINT resource_has_units CHECK (units BETWEEN 1 AND 1000)
);

CREATE UNIQUE INDEX resource_slug_is_unique ON resource (tenant_id, venue_id, slug) WHERE removed_at IS NULL;

CREATE UNIQUE INDEX resource_id_is_unique ON resource (id);

CREATE TABLE resource_join (
    tenant_id  uuid    NOT NULL,
    venue_id   uuid    NOT NULL,
    a_id       uuid    NOT NULL,
    b_id       uuid    NOT NULL,
    seats_lost integer NOT NULL,
    CONSTRAINT resource_join_pkey PRIMARY KEY (tenant_id, venue_id, a_id, b_id),
    CONSTRAINT resource_join_a_exists FOREIGN KEY (tenant_id, a_id) REFERENCES resource (tenant_id, id),
    CONSTRAINT resource_join_b_exists FOREIGN KEY (tenant_id, b_id) REFERENCES resource (tenant_id, id),
    CONSTRAINT resource_join_is_stored_once CHECK (a_id < b_id),
    CONSTRAINT resource_join_loses_no_less_than_nothing CHECK (seats_lost >= 0)
);

CREATE TABLE booking (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    venue_id        uuid        NOT NULL,
    reference       text        NOT NULL,
    status          text        NOT NULL,
    version         integer     NOT NULL,
    start_at        timestamptz NOT NULL,
    end_at          timestamptz NOT NULL,
    local_start     timestamp   NOT NULL,
    local_end       timestamp   NOT NULL,
    timezone        text        NOT NULL,
    slot_id         text,
    party_size      integer     NOT NULL,
    resource_ids    uuid[]      NOT NULL,
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
    internal_notes  text,
    source          text        NOT NULL,
    metadata        jsonb       NOT NULL DEFAULT '{}',
    hold_ip         inet,
    cancellation_reason text,
    cancelled_by    text,
    expires_at      timestamptz,
    due_at          timestamptz,
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

CREATE INDEX booking_by_venue ON booking (tenant_id, venue_id, start_at, id);
CREATE INDEX booking_by_guest ON booking (tenant_id, guest_id, start_at, id) WHERE guest_id IS NOT NULL;
CREATE INDEX booking_due ON booking (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX booking_held_by_ip ON booking (tenant_id, hold_ip) WHERE hold_ip IS NOT NULL;

CREATE TABLE claim (
    tenant_id   uuid      NOT NULL,
    resource_id uuid      NOT NULL,
    unit        integer   NOT NULL,
    during      tstzrange NOT NULL,
    owner_kind  text      NOT NULL,
    owner_id    uuid      NOT NULL,
    expires_at  timestamptz,
    CONSTRAINT claim_never_overlaps EXCLUDE USING gist
        (tenant_id WITH =, resource_id WITH =, unit WITH =, during WITH &&),
    CONSTRAINT claim_pkey PRIMARY KEY (tenant_id, owner_id, resource_id, unit, during),
    CONSTRAINT claim_resource_exists FOREIGN KEY (tenant_id, resource_id) REFERENCES resource (tenant_id, id),
    CONSTRAINT claim_owner_kind_is_known CHECK (owner_kind IN ('booking', 'block')),
    CONSTRAINT claim_unit_is_positive CHECK (unit >= 1),
    CONSTRAINT claim_is_a_bounded_span CHECK (
        NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)
        AND lower_inc(during) AND NOT upper_inc(during))
);

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

CREATE TABLE booking_history (
    tenant_id   uuid        NOT NULL,
    booking_id  uuid        NOT NULL,
    version     integer     NOT NULL,
    from_status text,
    to_status   text        NOT NULL,
    actor       text        NOT NULL,
    action      text        NOT NULL,
    reason      text,
    metadata    jsonb       NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL,
    CONSTRAINT booking_history_pkey PRIMARY KEY (tenant_id, booking_id, version)
);

CREATE TABLE idempotency (
    tenant_id    uuid        NOT NULL,
    operation    text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    code         text        NOT NULL,
    body         text        NOT NULL,
    subject_id   uuid,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (tenant_id, operation, key)
);

CREATE INDEX idempotency_by_age ON idempotency USING brin (expires_at);

CREATE TABLE event (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    seq         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
    event_type  text        NOT NULL,
    venue_id    uuid,
    subject_id  uuid        NOT NULL,
    payload     jsonb       NOT NULL,
    actor       text        NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (tenant_id, id)
);

CREATE INDEX event_in_commit_order ON event (xid, seq);

DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'holdfast_app') THEN
        CREATE ROLE holdfast_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
END $$;

DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'holdfast_ledger') THEN
        CREATE ROLE holdfast_ledger NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    -- To give it the function, the owner must be a member; a superuser is, of everything.
    IF NOT pg_has_role(current_user, 'holdfast_ledger', CASE WHEN current_setting('server_version_num')::int < 160000
                                                             THEN 'MEMBER' ELSE 'SET' END) THEN
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
GRANT SELECT ON tenant TO holdfast_ledger;

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

-- Whoever runs the application need not own anything to see which revision this is.
GRANT SELECT ON alembic_version TO holdfast_app;

-- Since version 16 whoever creates a role may grant it, to himself too, but has to do so. Who did not create
-- it needs somebody to do it for him; the check at the start tells him.
DO $$ BEGIN
    IF NOT pg_has_role(current_user, 'holdfast_app', CASE WHEN current_setting('server_version_num')::int < 160000
                                                          THEN 'MEMBER' ELSE 'SET' END) THEN
        GRANT holdfast_app TO CURRENT_USER;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'an administrator has to GRANT holdfast_app TO %', current_user;
END $$;
