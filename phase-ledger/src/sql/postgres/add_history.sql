INSERT INTO phasegate.history (at, generation, change, event, detail)
VALUES (pg_catalog.clock_timestamp(), $1, $2, $3, $4)
