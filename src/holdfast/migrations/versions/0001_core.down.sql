-- The roles and the extension stay: they may serve other databases and schemas.

DROP FUNCTION claims_overlapping(uuid[], uuid[], timestamptz[], timestamptz[]);
DROP TABLE event, idempotency, booking_history, claim_archive, claim, booking, resource_join, resource, venue, tenant;
DROP FUNCTION visible_tenants();
DROP FUNCTION try_locks(bigint[]);
REVOKE USAGE ON SCHEMA public FROM holdfast_app, holdfast_ledger;
