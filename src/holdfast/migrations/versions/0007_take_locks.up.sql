-- Takes transaction-level advisory locks, in the order given, which must be the same for all: so nobody
-- who waits holds one that comes later, and no deadlock can form. Waits until 100 ms have gone, and from
-- then on takes only what is free; returns the ones it got.
CREATE FUNCTION take_locks(keys bigint[]) RETURNS bigint[] LANGUAGE plpgsql VOLATILE
    SET lock_timeout = '100ms'
AS $$
DECLARE
    waits_until timestamptz := clock_timestamp() + interval '100 ms';
    taken bigint[] := '{}';
    key bigint;
BEGIN
    FOREACH key IN ARRAY keys LOOP
        IF pg_try_advisory_xact_lock(key) THEN
            taken := taken || key;
        ELSIF clock_timestamp() < waits_until THEN
            BEGIN
                PERFORM pg_advisory_xact_lock(key);
                taken := taken || key;
            EXCEPTION WHEN lock_not_available THEN
                waits_until := '-infinity';
            END;
        END IF;
    END LOOP;
    RETURN taken;
END
$$;
