SELECT t.table_schema, t.table_rows FROM information_schema.tables t
 WHERE t.table_schema = COALESCE(?, DATABASE()) AND t.table_name = ?
