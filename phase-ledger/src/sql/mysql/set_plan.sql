UPDATE phasegate_ledger SET plan = ?
