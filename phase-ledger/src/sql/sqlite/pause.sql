UPDATE phasegate_ledger SET paused = ?1
