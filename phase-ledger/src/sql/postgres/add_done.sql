INSERT INTO phasegate.done (change, step) VALUES ($1, $2)
