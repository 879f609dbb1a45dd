SELECT (SELECT pg_catalog.count(*)::text FROM pg_catalog.pg_namespace n WHERE n.nspname = 'phasegate'),
       (SELECT pg_catalog.count(*)::text
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'phasegate' AND c.relname = 'ledger')
