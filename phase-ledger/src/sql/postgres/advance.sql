-- INVARIANT: the first lock of every batch, and its fence: a takeover raises the generation of these rows too.
UPDATE phasegate.ranges AS r
   SET cursor = $4, rows_done = $5
 WHERE r.change = $1 AND r.part = $2 AND r.generation = $3
RETURNING (SELECT l.format::text FROM phasegate.ledger l), r.generation::text,
          pg_catalog.current_setting('phasegate.connection', true)
