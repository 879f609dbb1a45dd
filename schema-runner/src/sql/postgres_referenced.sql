SELECT DISTINCT a.attname::text
  FROM pg_catalog.pg_constraint f
  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = ANY (f.confkey)
 WHERE f.confrelid = pg_catalog.to_regclass($1) AND f.contype = 'f'
 ORDER BY 1
