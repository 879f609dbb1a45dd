SELECT l.format::text FROM phasegate.ledger l
