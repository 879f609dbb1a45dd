-- NOT NULL without a default; a rowid fills itself.
SELECT c.name
  FROM pragma_table_xinfo(?1) c
 WHERE c."notnull" = 1 AND c.dflt_value IS NULL AND c.hidden = 0
   AND NOT (c.pk = 1 AND upper(c.type) = 'INTEGER'
            AND (SELECT count(*) FROM pragma_table_xinfo(?1) k WHERE k.pk > 0) = 1)
 ORDER BY c.cid
