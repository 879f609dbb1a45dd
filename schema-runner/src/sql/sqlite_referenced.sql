SELECT DISTINCT f."to"
  FROM sqlite_master AS t JOIN pragma_foreign_key_list(t.name) AS f
 WHERE t.type = 'table' AND f."table" = ?1 COLLATE NOCASE
 ORDER BY 1
