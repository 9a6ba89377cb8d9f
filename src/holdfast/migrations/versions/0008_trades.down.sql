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
    DROP COLUMN items;

ALTER TABLE resource
    DROP COLUMN takes,
    DROP COLUMN group_slug,
    DROP COLUMN part_ids,
    DROP COLUMN minimum_spend;

ALTER TABLE venue
    DROP COLUMN stay,
    DROP COLUMN questions;
