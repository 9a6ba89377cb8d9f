-- Each default is what a row of before means.
ALTER TABLE venue
    ADD COLUMN stay      jsonb,
    ADD COLUMN questions jsonb NOT NULL DEFAULT '[]';

ALTER TABLE resource
    ADD COLUMN takes         text   NOT NULL DEFAULT 'party',
    ADD COLUMN group_slug    text,
    ADD COLUMN part_ids      uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN minimum_spend numeric,
    ADD CONSTRAINT resource_takes_are_known CHECK (takes IN ('party', 'guests')),
    ADD CONSTRAINT resource_whole_has_no_units CHECK (part_ids = '{}' OR (units = 1 AND takes = 'party')),
    ADD CONSTRAINT resource_minimum_spend_is_not_negative CHECK (minimum_spend >= 0);

ALTER TABLE booking
    ADD COLUMN preferences         jsonb   NOT NULL DEFAULT '{}',
    ADD COLUMN chosen_by           text    NOT NULL DEFAULT 'guest',
    ADD COLUMN length_asked        boolean NOT NULL DEFAULT true,
    ADD COLUMN nights              integer,
    ADD COLUMN price_lines         jsonb   NOT NULL DEFAULT '[]',
    ADD COLUMN minimum_spend_minor bigint  NOT NULL DEFAULT 0,
    ADD COLUMN extras              jsonb   NOT NULL DEFAULT '[]',
    ADD COLUMN discount_code       text,
    ADD COLUMN answers             jsonb   NOT NULL DEFAULT '{}',
    ADD COLUMN overrides           jsonb   NOT NULL DEFAULT '[]',
    ADD COLUMN tax_included        boolean NOT NULL DEFAULT false,
    ADD COLUMN deposit_minor       bigint  NOT NULL DEFAULT 0,
    ADD COLUMN minutes_asked       boolean NOT NULL DEFAULT false,
    ADD COLUMN arrival_on          date,
    DROP CONSTRAINT booking_price_adds_up,
    ADD CONSTRAINT booking_price_adds_up CHECK (
        total_minor = base_minor + CASE WHEN tax_included THEN 0 ELSE tax_minor END - discount_minor),
    ADD CONSTRAINT booking_resources_are_chosen_by_somebody CHECK (chosen_by IN ('guest', 'house')),
    ADD CONSTRAINT booking_stay_has_nights CHECK (nights > 0),
    ADD CONSTRAINT booking_stay_has_an_arrival CHECK ((arrival_on IS NULL) = (nights IS NULL)),
    ADD CONSTRAINT booking_minimum_spend_is_not_negative CHECK (minimum_spend_minor >= 0);

CREATE INDEX booking_with_extras ON booking (tenant_id, venue_id, end_at) WHERE extras <> '[]';
CREATE INDEX booking_by_discount ON booking (tenant_id, venue_id, discount_code) WHERE discount_code IS NOT NULL;

ALTER TABLE claim
    DROP CONSTRAINT claim_owner_kind_is_known,
    ADD CONSTRAINT claim_owner_kind_is_known CHECK (owner_kind IN ('booking', 'unbound', 'block', 'cleaning'));

CREATE INDEX booking_unbound ON booking (start_at) WHERE resource_ids = '{}';
