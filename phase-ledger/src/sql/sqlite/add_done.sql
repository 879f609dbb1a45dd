INSERT INTO phasegate_done (change, step) VALUES (?1, ?2)
