-- Before, a tax was always added to the base.
ALTER TABLE booking DROP CONSTRAINT booking_price_adds_up;
UPDATE booking SET base_minor = base_minor - tax_minor WHERE tax_included;
ALTER TABLE booking
    ADD CONSTRAINT booking_price_adds_up CHECK (total_minor = base_minor + tax_minor - discount_minor);

ALTER TABLE booking
    DROP COLUMN group_slug,
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
    DROP COLUMN items,
    DROP COLUMN tax_included,
    DROP COLUMN deposit_minor;

ALTER TABLE resource
    DROP COLUMN takes,
    DROP COLUMN group_slug,
    DROP COLUMN part_ids,
    DROP COLUMN minimum_spend;

ALTER TABLE venue
    DROP COLUMN stay,
    DROP COLUMN questions;
