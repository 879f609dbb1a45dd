-- pg_depend also knows the columns that expressions and predicates mention.
SELECT c.relname::text, a.attname::text, CASE WHEN i.indisunique THEN 1 ELSE 0 END::bigint
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE i.indrelid = pg_catalog.to_regclass($1) AND NOT i.indisprimary
   AND (a.attnum = ANY (i.indkey::smallint[])
        OR EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
                      AND d.refobjsubid = a.attnum))
 ORDER BY c.relname, a.attnum
