SELECT CAST(l.format AS TEXT) FROM phasegate_ledger l
