SELECT a.attname::text,
       pg_catalog.format_type(a.atttypid, a.atttypmod)::text,
       CASE WHEN a.attnotnull THEN 0 ELSE 1 END::bigint,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid)::text,
       CASE WHEN a.attgenerated <> '' THEN 1 ELSE 0 END::bigint
  FROM pg_catalog.pg_attribute a
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
