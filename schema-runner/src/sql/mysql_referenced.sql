SELECT DISTINCT k.referenced_column_name
  FROM information_schema.key_column_usage k
 WHERE k.referenced_table_schema = COALESCE(?, DATABASE()) AND k.referenced_table_name = ?
 ORDER BY k.referenced_column_name
