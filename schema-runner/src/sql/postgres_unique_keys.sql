-- The columns of UNIQUE keys, and whether each can be part of what finds a row: the key is whole, valid and checked at
-- once, the column is one and NOT NULL.
SELECT c.relname::text, a.attname::text,
       (i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND a.attnotnull)::int::bigint
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
 WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisunique AND NOT i.indisprimary AND k.place <= i.indnkeyatts
 ORDER BY c.relname, k.place
