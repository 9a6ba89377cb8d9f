DROP INDEX claim_by_end;
DELETE FROM claim WHERE owner_kind = 'cleaning';
ALTER TABLE claim
    DROP CONSTRAINT claim_owner_kind_is_known,
    ADD CONSTRAINT claim_owner_kind_is_known CHECK (owner_kind IN ('booking', 'block'));
