CREATE FUNCTION booked_for(venue_id uuid, booked_groups text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT array_agg(venue_id::text || name) FROM unnest(booked_groups) AS of_guest (name) $$;

DROP INDEX booking_by_group;
CREATE INDEX booking_by_group ON booking USING gin (booked_for(venue_id, booked_groups))
    WITH (fastupdate = off) WHERE booked_groups <> '{}';

CREATE FUNCTION bookings_of_group(of_tenant uuid, of_venue uuid, name text) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off
AS $$
BEGIN
    RETURN QUERY
    SELECT b.id
      FROM (SELECT booking.id, booking.tenant_id FROM booking
             WHERE booked_for(venue_id, booked_groups) @> ARRAY[of_venue::text || name]
               AND booked_groups <> '{}' OFFSET 0) AS b
     WHERE b.tenant_id = of_tenant AND (sees_all_tenants() OR of_tenant = ANY (visible_tenants()));
END
$$;

GRANT CREATE ON SCHEMA public TO holdfast_ledger;
ALTER FUNCTION bookings_of_group(uuid, uuid, text) OWNER TO holdfast_ledger;
REVOKE CREATE ON SCHEMA public FROM holdfast_ledger;
REVOKE EXECUTE ON FUNCTION bookings_of_group(uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bookings_of_group(uuid, uuid, text) TO holdfast_app;
GRANT SELECT (tenant_id, id, venue_id, booked_groups) ON booking TO holdfast_ledger;
CREATE POLICY ledger_reads ON booking FOR SELECT TO holdfast_ledger USING (true);
