-- Enabled row triggers of others on a table, and whether one runs before the row is written but after ours.
SELECT t.tgname::text,
       ((t.tgtype & 2) <> 0 AND (t.tgtype & 20) <> 0 AND t.tgname::text COLLATE "C" > 'zzz_phasegate_')::int
  FROM pg_catalog.pg_trigger t
 WHERE t.tgrelid = pg_catalog.to_regclass($1) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
   AND (t.tgtype & 1) <> 0 AND (t.tgtype & 20) <> 0
   AND NOT pg_catalog.starts_with(t.tgname::text, 'zzz_phasegate_')
 ORDER BY t.tgname
