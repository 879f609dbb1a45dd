INSERT INTO phasegate_ranges (`change`, part, generation, `cursor`, finish, rows_done) VALUES (?, ?, ?, ?, ?, ?)
