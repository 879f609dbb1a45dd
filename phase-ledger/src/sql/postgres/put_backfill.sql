INSERT INTO phasegate.backfills (change, step, rows_done, rows_total, rows_per_second, held)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (change) DO UPDATE
   SET step = EXCLUDED.step, rows_done = EXCLUDED.rows_done, rows_total = EXCLUDED.rows_total,
       rows_per_second = EXCLUDED.rows_per_second, held = EXCLUDED.held
