-- Publications of a table: with a list of columns? and without a replica identity, though updates are published?
SELECT p.pubname::text,
       (COALESCE(pg_catalog.to_jsonb(r) ->> 'prattrs', '') <> '')::int,
       (p.pubupdate AND (c.relreplident = 'n'
          OR (c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i
                                                    WHERE i.indrelid = c.oid AND i.indisprimary))))::int
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_publication_tables t ON t.tablename = c.relname AND t.schemaname = n.nspname
  JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname
  LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
 WHERE c.oid = pg_catalog.to_regclass($1)
 ORDER BY 1
