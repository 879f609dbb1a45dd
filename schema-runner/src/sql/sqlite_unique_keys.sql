-- The columns of UNIQUE keys, and whether each can be part of what finds a row: the key is whole, the column NOT NULL.
SELECT l.name, i.name,
       NOT l.partial AND coalesce((SELECT c."notnull" FROM pragma_table_xinfo(?1) AS c WHERE c.name = i.name), 0)
  FROM pragma_index_list(?1) AS l JOIN pragma_index_info(l.name) AS i
 WHERE l."unique" AND l.origin <> 'pk'
 ORDER BY l.name, i.seqno
