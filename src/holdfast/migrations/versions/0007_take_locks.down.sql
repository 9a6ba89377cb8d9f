DROP FUNCTION take_locks(bigint[]);
