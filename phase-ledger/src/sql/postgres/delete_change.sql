DELETE FROM phasegate.changes WHERE name = $1
