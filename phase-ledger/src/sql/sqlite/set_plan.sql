UPDATE phasegate_ledger SET plan = ?1
