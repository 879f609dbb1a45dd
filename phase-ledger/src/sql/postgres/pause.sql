UPDATE phasegate.ledger SET paused = $1
