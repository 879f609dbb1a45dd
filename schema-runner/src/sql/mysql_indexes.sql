-- One row a column of an index; an expression has no column name.
SELECT s.index_name, s.column_name, s.non_unique = 0
  FROM information_schema.statistics s
 WHERE s.table_schema = COALESCE(?, DATABASE()) AND s.table_name = ?
 ORDER BY s.index_name, s.seq_in_index
