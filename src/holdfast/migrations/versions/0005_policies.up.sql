-- Whether this transaction sees all tenants: `holdfast.tenants` is '*' (ticks, audit, platform administrators).
CREATE FUNCTION sees_all_tenants() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT current_setting('holdfast.tenants', true) = '*'
$$;

-- The tenants it sees otherwise: the comma-separated list in `holdfast.tenants`. Unset, empty or '*': NULL, so
-- `= ANY (NULL)` is no rows. Anything else raises an error.
CREATE OR REPLACE FUNCTION visible_tenants() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT string_to_array(nullif(nullif(current_setting('holdfast.tenants', true), ''), '*'), ',')::uuid[]
$$;

CREATE OR REPLACE FUNCTION claims_overlapping(
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

REVOKE SELECT ON tenant FROM holdfast_ledger;

ALTER POLICY own_tenant ON tenant          USING ((SELECT sees_all_tenants()) OR id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON venue           USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON resource        USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON resource_join   USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON booking         USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON claim           USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON claim_archive   USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON booking_history USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON idempotency     USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON event           USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON event_new       USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON event_log       USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON job             USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON channel         USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON block           USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON block_history   USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON waitlist_entry  USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON series          USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON series_booking  USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));
ALTER POLICY own_tenant ON dead_letter     USING ((SELECT sees_all_tenants()) OR tenant_id = ANY ((SELECT visible_tenants())::uuid[]));

CREATE UNIQUE INDEX booking_id_is_unique        ON booking (id);
CREATE UNIQUE INDEX block_id_is_unique          ON block (id);
CREATE UNIQUE INDEX waitlist_entry_id_is_unique ON waitlist_entry (id);
CREATE UNIQUE INDEX series_id_is_unique         ON series (id);
