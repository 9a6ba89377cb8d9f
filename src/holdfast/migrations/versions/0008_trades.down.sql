DROP INDEX booking_unbound;
-- Each has a resource; it only was not told which.
UPDATE claim SET owner_kind = 'booking' WHERE owner_kind = 'unbound';
UPDATE booking
   SET resource_ids = ARRAY(SELECT claim.resource_id FROM claim
                             WHERE claim.tenant_id = booking.tenant_id AND claim.owner_id = booking.id)
 WHERE resource_ids = '{}';
ALTER TABLE claim
    DROP CONSTRAINT claim_owner_kind_is_known,
    ADD CONSTRAINT claim_owner_kind_is_known CHECK (owner_kind IN ('booking', 'block', 'cleaning'));

-- Before, a tax was always added to the base.
ALTER TABLE booking DROP CONSTRAINT booking_price_adds_up;
UPDATE booking SET base_minor = base_minor - tax_minor WHERE tax_included;
ALTER TABLE booking
    ADD CONSTRAINT booking_price_adds_up CHECK (total_minor = base_minor + tax_minor - discount_minor);

ALTER TABLE booking
    DROP COLUMN preferences,
    DROP COLUMN chosen_by,
    DROP COLUMN length_asked,
    DROP COLUMN nights,
    DROP COLUMN price_lines,
    DROP COLUMN minimum_spend_minor,
    DROP COLUMN extras,
    DROP COLUMN discount_code,
    DROP COLUMN answers,
    DROP COLUMN overrides,
    DROP COLUMN tax_included,
    DROP COLUMN deposit_minor,
    DROP COLUMN minutes_asked,
    DROP COLUMN arrival_on;

ALTER TABLE resource
    DROP COLUMN takes,
    DROP COLUMN group_slug,
    DROP COLUMN part_ids,
    DROP COLUMN minimum_spend;

ALTER TABLE venue
    DROP COLUMN stay,
    DROP COLUMN questions;
