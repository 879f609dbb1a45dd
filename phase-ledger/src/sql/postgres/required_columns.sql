-- NOT NULL, and neither a default nor a sequence nor an expression fills it. Where a trigger runs before each inserted
-- row nothing is said: it may fill any column, as those that keep two shapes equal do.
SELECT a.attname::text
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = pg_catalog.to_regclass($1)
   AND a.attnum > 0 AND NOT a.attisdropped
   AND (a.attnotnull OR t.typnotnull)
   AND d.oid IS NULL AND t.typdefault IS NULL AND a.attidentity = '' AND a.attgenerated = ''
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
                    WHERE g.tgrelid = a.attrelid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')
                      AND g.tgtype::int & 7 = 7) -- a row, before, INSERT
 ORDER BY a.attnum
