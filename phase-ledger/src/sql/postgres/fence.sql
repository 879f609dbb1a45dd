-- INVARIANT: the first lock of every transaction of a runner. Who waits here waits for a runner, never for an application.
SELECT l.format::text, l.generation::text, pg_catalog.current_setting('phasegate.connection', true)
  FROM phasegate.ledger l
   FOR UPDATE
