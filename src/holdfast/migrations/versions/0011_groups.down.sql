DROP POLICY ledger_reads ON booking;
REVOKE SELECT (tenant_id, id, venue_id, booked_groups) ON booking FROM holdfast_ledger;
DROP FUNCTION bookings_of_group(uuid, uuid, text);

DROP INDEX booking_by_group;
CREATE INDEX booking_by_group ON booking (tenant_id, venue_id, end_at) WHERE booked_groups <> '{}';
DROP FUNCTION booked_for(uuid, text[]);
