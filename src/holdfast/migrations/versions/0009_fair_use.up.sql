ALTER TABLE booking
    ADD COLUMN booked_ip     inet,
    ADD COLUMN booked_groups text[] NOT NULL DEFAULT '{}';

CREATE INDEX booking_by_address ON booking (tenant_id, venue_id, booked_ip, end_at) WHERE booked_ip IS NOT NULL;
CREATE INDEX booking_by_group ON booking (tenant_id, venue_id, end_at) WHERE booked_groups <> '{}';
CREATE INDEX booking_to_forget ON booking (end_at) WHERE booked_ip IS NOT NULL OR booked_groups <> '{}';

ALTER TABLE waitlist_entry ADD COLUMN joined_groups text[] NOT NULL DEFAULT '{}';
