SELECT CAST(l.format AS CHAR) FROM phasegate_ledger l
