INSERT INTO phasegate_backfills (`change`, step, rows_done, rows_total, rows_per_second, held)
VALUES (?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE
       step = VALUES(step), rows_done = VALUES(rows_done), rows_total = VALUES(rows_total),
       rows_per_second = VALUES(rows_per_second), held = VALUES(held)
