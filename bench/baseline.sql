-- The bare database: one call writes the rows that one booking is. No rules, no HTTP, no retry: the most
-- that this schema gives when each booking has a transaction of its own.
CREATE OR REPLACE FUNCTION bench_book(
    tenant uuid, venue uuid, resource uuid, starts timestamptz, booking_id uuid, key text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ends timestamptz := starts + interval '1 hour';
    made timestamptz := clock_timestamp();
    payload jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(venue::text, 0));
    PERFORM 1 FROM idempotency i WHERE i.tenant_id = tenant AND i.operation = 'create' AND i.key = bench_book.key;
    payload := jsonb_build_object(
        'booking_id', booking_id, 'booking_reference', 'BR', 'from_status', NULL, 'status', 'RESERVED',
        'version', 1, 'venue_id', venue, 'resource_ids', ARRAY[resource], 'slot_id', NULL, 'start', starts,
        'end', ends, 'party_size', 2, 'total_minor', 13440, 'currency', 'SEK', 'expires_at', NULL,
        'source', 'api');
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id)
    VALUES (tenant, resource, 1, tstzrange(starts, ends + interval '15 minutes'), 'booking', booking_id);
    INSERT INTO idempotency (tenant_id, operation, key, request_hash, code, body, subject_id, created_at, expires_at)
    VALUES (tenant, 'create', key, sha256(key::bytea), 'DONE', repeat('x', 1300), booking_id, made,
            made + interval '1 day');
    INSERT INTO booking (tenant_id, id, venue_id, reference, status, version, start_at, end_at, local_start,
                         local_end, timezone, party_size, resource_ids, guest_name, guest_email, guest_phone,
                         base_minor, tax_minor, discount_minor, total_minor, currency, price_source,
                         idempotency_key, source, due_at, created_at, updated_at)
    VALUES (tenant, booking_id, venue, 'BR-' || booking_id, 'RESERVED', 1, starts, ends, starts, ends,
            'Europe/Stockholm', 2, ARRAY[resource], 'Ada Lovelace', 'ada@example.org', '+46 70 000 00 00',
            12000, 1440, 0, 13440, 'SEK', 'local', key, 'api', starts + interval '15 minutes', made, made);
    INSERT INTO booking_history (tenant_id, booking_id, version, to_status, actor, action, created_at)
    VALUES (tenant, booking_id, 1, 'RESERVED', 'staff:bench', 'create', made);
    INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, created_at)
    VALUES (tenant, gen_random_uuid(), 'booking.created', venue, booking_id, payload, 'staff:bench', made);
EXCEPTION WHEN exclusion_violation THEN
    NULL;  -- taken: the next one
END
$$;
