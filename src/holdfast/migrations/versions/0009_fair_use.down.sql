ALTER TABLE waitlist_entry DROP COLUMN joined_groups;

DROP INDEX booking_to_forget;
DROP INDEX booking_by_group;
DROP INDEX booking_by_address;
ALTER TABLE booking
    DROP COLUMN booked_ip,
    DROP COLUMN booked_groups;
