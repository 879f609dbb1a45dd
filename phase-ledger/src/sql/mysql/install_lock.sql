-- The lock next to the runner's own. Two first runs at once: the second waits here and then finds the ledger.
SELECT CAST(GET_LOCK(CONCAT('phasegate-new.', SHA1(DATABASE())), 30) AS CHAR)
