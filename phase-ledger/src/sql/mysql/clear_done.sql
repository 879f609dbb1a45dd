DELETE FROM phasegate_done WHERE `change` = ?
