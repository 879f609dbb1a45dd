SELECT k.constraint_name, k.column_name,
       IF(k.referenced_table_schema = k.table_schema, k.referenced_table_name,
          CONCAT(k.referenced_table_schema, '.', k.referenced_table_name))
  FROM information_schema.key_column_usage k
 WHERE k.table_schema = COALESCE(?, DATABASE()) AND k.table_name = ? AND k.referenced_table_name IS NOT NULL
 ORDER BY k.constraint_name, k.ordinal_position
