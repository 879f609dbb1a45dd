-- Asked when read.sql cannot be answered: what is there instead? The catalog is open to every role.
SELECT pg_catalog.pg_is_in_recovery()::text,
       (SELECT pg_catalog.string_agg(c.relname, ',' ORDER BY c.relname)
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'phasegate' AND c.relkind IN ('r', 'p', 'v')
           AND c.relname IN ('ledger', 'changes', 'done', 'backfills')),
       (SELECT pg_catalog.string_agg(c.relname, ',' ORDER BY c.relname)
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'phasegate' AND c.relname IN ('ledger', 'changes', 'done', 'backfills')
           AND NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')),
       (SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE')::text
          FROM pg_catalog.pg_namespace n WHERE n.nspname = 'phasegate'),
       (SELECT pg_catalog.string_agg(made.name, ', ' ORDER BY made.name)
          FROM (SELECT 'trigger ' || t.tgname AS name
                  FROM pg_catalog.pg_trigger t
                 WHERE NOT t.tgisinternal AND t.tgname LIKE 'zzz\_phasegate\_%'
                UNION
                SELECT 'function ' || p.proname
                  FROM pg_catalog.pg_proc p
                 WHERE p.proname LIKE 'zzz\_phasegate\_%'
                UNION
                SELECT 'an object with the comment ' || pg_catalog.quote_literal(pg_catalog.left(d.description, 80))
                  FROM pg_catalog.pg_description d
                 WHERE d.description LIKE 'phasegate: %'
                 ORDER BY name LIMIT 10) made)
