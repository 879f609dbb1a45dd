DELETE FROM phasegate.backfills WHERE change = $1
