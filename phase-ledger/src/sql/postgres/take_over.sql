UPDATE phasegate.ledger
   SET generation = generation + 1,
       server = (SELECT s.system_identifier::text FROM pg_catalog.pg_control_system() s),
       runner = $1,
       taken_at = pg_catalog.clock_timestamp()
RETURNING generation::text, server
