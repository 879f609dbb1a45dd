-- INVARIANT: the first lock of every transaction of a runner. Who waits here waits for a runner, never for an application.
SELECT CAST(l.format AS CHAR), CAST(l.generation AS CHAR), CAST(@phasegate_mark AS CHAR)
  FROM phasegate_ledger l
   FOR UPDATE
