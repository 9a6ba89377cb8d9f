ALTER TABLE claim
    DROP CONSTRAINT claim_owner_kind_is_known,
    ADD CONSTRAINT claim_owner_kind_is_known CHECK (owner_kind IN ('booking', 'block', 'cleaning'));
