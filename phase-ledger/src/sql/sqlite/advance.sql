-- The fence of a batch: a takeover raises the generation of these rows too.
UPDATE phasegate_ranges
   SET cursor = ?4, rows_done = ?5
 WHERE change = ?1 AND part = ?2 AND generation = ?3
RETURNING (SELECT CAST(l.format AS TEXT) FROM phasegate_ledger l)
