-- Who we are, a standby or not, may make the ledger, may write it, which triggers fire, autovacuum.
SELECT current_user::text,
       pg_catalog.pg_is_in_recovery()::int,
       (EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'phasegate')
        OR pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'))::int,
       COALESCE((SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                        AND (pg_catalog.has_schema_privilege(n.oid, 'CREATE')
                             OR EXISTS (SELECT FROM pg_catalog.pg_class c
                                         WHERE c.relnamespace = n.oid AND c.relname = 'ledger'))
                        AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
                                         WHERE c.relnamespace = n.oid AND c.relkind = 'r'
                                           AND NOT pg_catalog.has_table_privilege(c.oid, 'INSERT'))
                   FROM pg_catalog.pg_namespace n WHERE n.nspname = 'phasegate'), true)::int,
       pg_catalog.current_setting('session_replication_role'),
       (pg_catalog.current_setting('autovacuum') = 'on')::int
