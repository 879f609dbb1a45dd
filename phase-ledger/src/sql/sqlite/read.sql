-- One row for each change, or one without a change; every column as text. A file is never a standby, and carries the
-- identity it was given, so that it always matches.
SELECT CAST(l.format AS TEXT), '0', CAST(l.server AS TEXT),
       CAST(l.generation AS TEXT), CAST(l.server AS TEXT), CAST(l.plan AS TEXT),
       CAST(l.paused AS TEXT),
       CAST(c.name AS TEXT), CAST(c.ordinal AS TEXT), CAST(c.tables AS TEXT), CAST(c.old_window AS TEXT),
       CAST(c.new_window AS TEXT), CAST(c.conversion AS TEXT), CAST(c.definition AS TEXT), CAST(c.phase AS TEXT),
       CAST(c.moving_to AS TEXT), CAST(c.acting AS TEXT), CAST(c.new_shape_live AS TEXT),
       (SELECT group_concat(CAST(d.step AS TEXT), ',') FROM phasegate_done d WHERE d.change = c.name),
       CAST(b.step AS TEXT), CAST(b.rows_done AS TEXT), CAST(b.rows_total AS TEXT), CAST(b.rows_per_second AS TEXT),
       CAST(b.held AS TEXT)
  FROM phasegate_ledger l
  LEFT JOIN phasegate_changes c ON true
  LEFT JOIN phasegate_backfills b ON b.change = c.name
 WHERE l.one = 1
 ORDER BY c.ordinal, c.name
