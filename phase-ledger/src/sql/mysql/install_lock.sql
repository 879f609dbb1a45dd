-- The lock next to the runner's own. Two first runs at once: the second waits here and then finds the ledger.
SELECT CAST(GET_LOCK(CONCAT('phasegate-new.', LEFT(SHA2(DATABASE(), 256), 40)), 30) AS CHAR)
