INSERT INTO phasegate_backfills (change, cursor, finish, rows_done, rows_total, rows_per_second)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (change) DO UPDATE
   SET cursor = excluded.cursor, finish = excluded.finish, rows_done = excluded.rows_done,
       rows_total = excluded.rows_total, rows_per_second = excluded.rows_per_second
