SELECT l.name, i.name, l."unique",
       (SELECT sql FROM sqlite_master m WHERE m.type = 'index' AND m.name = l.name)
  FROM pragma_index_list(?1) AS l JOIN pragma_index_info(l.name) AS i
 WHERE l.origin <> 'pk'
 ORDER BY l.name, i.seqno
