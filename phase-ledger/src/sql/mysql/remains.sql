-- A ledger whose first table is missing: do the others hold anything?
SELECT CAST(COUNT(*) AS CHAR) FROM phasegate_changes
