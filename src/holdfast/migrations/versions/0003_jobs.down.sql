DROP FUNCTION purge_dead_letters(integer);
DROP FUNCTION purge_events(integer);
DROP TABLE dead_letter, delivery, event_cursor;
DROP INDEX event_of_tenant_in_commit_order;
DROP SCHEMA pgqueuer CASCADE;
