DROP POLICY ledger_reads ON booking;
REVOKE SELECT (tenant_id, id, venue_id, booked_groups, start_at, end_at, status, expires_at, items) ON booking FROM holdfast_ledger;
DROP FUNCTION bookings_of_group(uuid, uuid, text, timestamptz, timestamptz);

DROP INDEX booking_by_group;
CREATE INDEX booking_by_group ON booking (tenant_id, venue_id, end_at) WHERE booked_groups <> '{}';
DROP FUNCTION booked_for(uuid, text[]);
