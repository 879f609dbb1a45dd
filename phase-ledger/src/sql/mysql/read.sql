-- One row for each change, or one without a change; every column as text. One statement is one snapshot. Who asks sends
-- settings in the same message: autocommit, so that no older snapshot is open, what identifies the server, and room for
-- GROUP_CONCAT, which else cuts its result and says nothing.
SELECT CAST(l.format AS CHAR),
       IF(CAST(@@global.read_only AS CHAR) IN ('0', 'OFF'), '0', '1'),
       CAST(@phasegate_server AS CHAR),
       CAST(l.generation AS CHAR), l.server, l.plan, l.paused,
       c.name, CAST(c.ordinal AS CHAR), c.tables, c.old_window, c.new_window, c.conversion, c.definition, c.phase,
       c.moving_to, CAST(c.acting AS CHAR), CAST(c.new_shape_live AS CHAR),
       (SELECT GROUP_CONCAT(d.step) FROM phasegate_done d WHERE d.`change` = c.name),
       CAST(b.step AS CHAR), CAST(b.rows_done AS CHAR), CAST(b.rows_total AS CHAR),
       CAST(b.rows_per_second AS CHAR), b.held
  FROM phasegate_ledger l
  LEFT JOIN phasegate_changes c ON TRUE
  LEFT JOIN phasegate_backfills b ON b.`change` = c.name
 WHERE l.one = 1
 ORDER BY c.ordinal, c.name
