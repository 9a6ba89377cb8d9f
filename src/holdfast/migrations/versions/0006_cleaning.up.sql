ALTER TABLE claim
    DROP CONSTRAINT claim_owner_kind_is_known,
    ADD CONSTRAINT claim_owner_kind_is_known CHECK (owner_kind IN ('booking', 'block', 'cleaning'));

-- The archive: the claims that ended first.
CREATE INDEX claim_by_end ON claim (upper(during));
