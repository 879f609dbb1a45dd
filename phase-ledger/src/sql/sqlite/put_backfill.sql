INSERT INTO phasegate_backfills (change, step, rows_done, rows_total, rows_per_second, held)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (change) DO UPDATE
   SET step = excluded.step, rows_done = excluded.rows_done, rows_total = excluded.rows_total,
       rows_per_second = excluded.rows_per_second, held = excluded.held
