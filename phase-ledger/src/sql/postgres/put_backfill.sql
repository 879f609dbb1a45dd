INSERT INTO phasegate.backfills (change, cursor, finish, rows_done, rows_total, rows_per_second)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (change) DO UPDATE
   SET cursor = EXCLUDED.cursor, finish = EXCLUDED.finish, rows_done = EXCLUDED.rows_done,
       rows_total = EXCLUDED.rows_total, rows_per_second = EXCLUDED.rows_per_second
