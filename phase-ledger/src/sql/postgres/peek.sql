-- The fence without its lock: for a statement that cannot be in a transaction.
SELECT l.format::text, l.generation::text, pg_catalog.current_setting('phasegate.connection', true)
  FROM phasegate.ledger l
