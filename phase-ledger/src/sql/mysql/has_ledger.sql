SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.tables t
 WHERE t.table_schema = DATABASE() AND t.table_name = 'phasegate_ledger'
