-- MySQL writes a literal default without its quotes, and an expression, marked as such, without its parentheses and with
-- a backslash before each quote and each backslash.
SELECT c.column_name,
       CONCAT(c.column_type, IFNULL(CONCAT(' CHARACTER SET ', c.character_set_name, ' COLLATE ', c.collation_name), '')),
       c.is_nullable = 'YES',
       CASE WHEN c.extra LIKE '%DEFAULT_GENERATED%' AND c.column_default LIKE 'CURRENT_TIMESTAMP%' THEN c.column_default
            WHEN c.extra LIKE '%DEFAULT_GENERATED%'
            THEN CONCAT('(', REPLACE(REPLACE(REPLACE(c.column_default, '\\\\', CHAR(1)), '\\''', ''''), CHAR(1), '\\'), ')')
            WHEN c.column_default LIKE 'b''%''' THEN c.column_default
            WHEN c.column_default IS NOT NULL THEN QUOTE(c.column_default) END,
       IFNULL(c.generation_expression, '') <> ''
  FROM information_schema.columns c
 WHERE c.table_schema = COALESCE(?, DATABASE()) AND c.table_name = ?
 ORDER BY c.ordinal_position
