SELECT f.conname::text, a.attname::text, f.confrelid::regclass::text
  FROM pg_catalog.pg_constraint f
  JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)
 WHERE f.conrelid = pg_catalog.to_regclass($1) AND f.contype = 'f'
 ORDER BY f.conname, a.attnum
