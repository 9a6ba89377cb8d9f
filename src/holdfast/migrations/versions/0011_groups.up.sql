CREATE FUNCTION booked_for(venue_id uuid, booked_groups text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT array_agg(venue_id::text || name) FROM unnest(booked_groups) AS of_guest (name) $$;

DROP INDEX booking_by_group;
CREATE INDEX booking_by_group ON booking USING gin (booked_for(venue_id, booked_groups))
    WITH (fastupdate = off) WHERE booked_groups <> '{}';

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

GRANT CREATE ON SCHEMA public TO holdfast_ledger;
ALTER FUNCTION bookings_of_group(uuid, uuid, text, timestamptz, timestamptz) OWNER TO holdfast_ledger;
REVOKE CREATE ON SCHEMA public FROM holdfast_ledger;
REVOKE EXECUTE ON FUNCTION bookings_of_group(uuid, uuid, text, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bookings_of_group(uuid, uuid, text, timestamptz, timestamptz) TO holdfast_app;
GRANT SELECT (tenant_id, id, venue_id, booked_groups, start_at, end_at, status, expires_at, items) ON booking
    TO holdfast_ledger;
CREATE POLICY ledger_reads ON booking FOR SELECT TO holdfast_ledger USING (true);
