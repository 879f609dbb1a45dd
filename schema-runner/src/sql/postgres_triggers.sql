SELECT t.tgname::text
  FROM pg_catalog.pg_trigger t
 WHERE t.tgrelid = pg_catalog.to_regclass($1) AND NOT t.tgisinternal
   AND NOT pg_catalog.starts_with(t.tgname::text, 'zzz_phasegate_')
 ORDER BY t.tgname
