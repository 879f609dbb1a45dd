-- A column whose own comparison calls different bytes equal.
SELECT CASE WHEN ty.typname = 'citext' THEN 'is of type citext' ELSE 'has the nondeterministic collation ' || co.collname END
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
 WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped
   AND (ty.typname = 'citext' OR NOT co.collisdeterministic)
