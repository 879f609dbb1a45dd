UPDATE phasegate_ledger SET paused = ?
