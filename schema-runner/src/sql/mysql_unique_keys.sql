-- The columns of UNIQUE keys, and whether each can be part of what finds a row: a whole column, NOT NULL, in a tree.
SELECT s.index_name, s.column_name,
       s.column_name IS NOT NULL AND s.nullable <> 'YES' AND s.sub_part IS NULL AND s.index_type = 'BTREE'
  FROM information_schema.statistics s
 WHERE s.table_schema = COALESCE(?, DATABASE()) AND s.table_name = ? AND s.index_name <> 'PRIMARY' AND s.non_unique = 0
 ORDER BY s.index_name, s.seq_in_index
