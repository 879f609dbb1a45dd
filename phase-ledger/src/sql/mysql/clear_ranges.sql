DELETE FROM phasegate_ranges WHERE `change` = ?
