-- The fence without its lock: for a statement that cannot be in a transaction.
SELECT CAST(l.format AS CHAR), CAST(l.generation AS CHAR), CAST(@phasegate_mark AS CHAR)
  FROM phasegate_ledger l
