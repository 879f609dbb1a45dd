-- The key is 'phasegat' as a number; the server scopes it to the database. One statement, so that a pooler cannot run
-- the check on one server session and the lock on another.
SELECT pg_catalog.pg_is_in_recovery()::text,
       pg_catalog.current_setting('phasegate.connection', true),
       CASE WHEN NOT pg_catalog.pg_is_in_recovery() AND pg_catalog.current_setting('phasegate.connection', true) = $1
            THEN pg_catalog.pg_try_advisory_lock(8099831078076244340) END::text
