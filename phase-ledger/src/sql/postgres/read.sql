-- One row for each change, or one without a change. One statement is one snapshot; every column is text, for the simple
-- protocol, so that the read is a single round trip and leaves nothing prepared behind (a gate may sit behind a pooler).
-- `one = 1` tells the planner that it is one row: without it, tables never analyzed look so large that the server compiled
-- the query first, for 0.4 s; callers also turn jit off.
SELECT l.format::text,
       pg_catalog.pg_is_in_recovery()::text,
       (SELECT s.system_identifier::text FROM pg_catalog.pg_control_system() s),
       l.generation::text, l.server, l.plan, l.paused,
       c.name, c.ordinal::text, c.tables, c.old_window, c.new_window, c.conversion, c.definition, c.phase, c.moving_to,
       c.acting::text, c.new_shape_live::text,
       (SELECT pg_catalog.string_agg(d.step::text, ',') FROM phasegate.done d WHERE d.change = c.name),
       b.step::text, b.rows_done::text, b.rows_total::text, b.rows_per_second::text, b.held
  FROM phasegate.ledger l
  LEFT JOIN phasegate.changes c ON true
  LEFT JOIN phasegate.backfills b ON b.change = c.name
 WHERE l.one = 1
 ORDER BY c.ordinal, c.name
