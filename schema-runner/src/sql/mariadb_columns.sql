-- MariaDB writes a default as SQL. `NULL` is none.
SELECT c.column_name,
       CONCAT(c.column_type, IFNULL(CONCAT(' CHARACTER SET ', c.character_set_name, ' COLLATE ', c.collation_name), '')),
       c.is_nullable = 'YES', NULLIF(c.column_default, 'NULL'), IFNULL(c.generation_expression, '') <> ''
  FROM information_schema.columns c
 WHERE c.table_schema = COALESCE(?, DATABASE()) AND c.table_name = ?
 ORDER BY c.ordinal_position
