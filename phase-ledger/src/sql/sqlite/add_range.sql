INSERT INTO phasegate_ranges (change, part, generation, cursor, finish, rows_done)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
