DELETE FROM phasegate_changes WHERE name = ?
