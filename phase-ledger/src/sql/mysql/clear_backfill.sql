DELETE FROM phasegate_backfills WHERE `change` = ?
