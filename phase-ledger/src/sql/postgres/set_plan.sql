UPDATE phasegate.ledger SET plan = $1
