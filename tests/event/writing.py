"""Events written by hand, as the product writes them: the row, and beside it the row in the queue."""

from __future__ import annotations

INSERT = """
    WITH written AS (
        INSERT INTO event (tenant_id, id, event_type, subject_id, payload, actor, created_at)
        VALUES ($1, $2, 'test.happened', $2, '{}', 'system', now()) RETURNING tenant_id, id
    )
    INSERT INTO event_new (tenant_id, event_id) SELECT tenant_id, id FROM written
"""
# One transaction for each event, without a round trip for each.
INSERT_MANY = """
    DO $$ DECLARE made uuid; BEGIN
        FOR n IN 1..{count} LOOP
            made := gen_random_uuid();
            INSERT INTO event (tenant_id, id, event_type, subject_id, payload, actor, created_at)
            VALUES ('{tenant}', made, 'test.happened', made, '{{}}', 'system', now());
            INSERT INTO event_new (tenant_id, event_id) VALUES ('{tenant}', made);
            COMMIT;
        END LOOP;
    END $$
"""
