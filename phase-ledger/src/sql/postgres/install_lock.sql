-- The lock next to the runner's own. Two first runs at once: the second waits here and then finds the ledger.
SELECT pg_catalog.pg_advisory_xact_lock(8099831078076244341)::text
