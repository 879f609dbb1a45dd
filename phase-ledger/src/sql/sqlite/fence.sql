SELECT CAST(l.format AS TEXT), CAST(l.generation AS TEXT) FROM phasegate_ledger l
