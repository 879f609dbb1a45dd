-- pg_depend also knows the columns that expressions and predicates mention. `place` is that in the key, from 1; there is
-- none where any of the key is an expression.
SELECT c.relname::text, a.attname::text, CASE WHEN i.indisunique THEN 1 ELSE 0 END::bigint,
       COALESCE(k.place, 0)::bigint, CASE WHEN i.indisvalid THEN 1 ELSE 0 END::bigint
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN LATERAL (SELECT min(n) + 1 AS place FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS n
                      WHERE i.indkey[n] = a.attnum AND i.indexprs IS NULL) AS k ON true
 WHERE i.indrelid = pg_catalog.to_regclass($1) AND NOT i.indisprimary
   AND (a.attnum = ANY (i.indkey::smallint[])
        OR EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
                      AND d.refobjsubid = a.attnum))
 ORDER BY c.relname, k.place NULLS LAST, a.attnum
