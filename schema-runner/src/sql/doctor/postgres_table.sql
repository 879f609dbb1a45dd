-- One table: who owns it, may we alter it, may we make a function beside it, what hides its rows, who writes into it.
SELECT current_user::text, o.rolname::text, pg_catalog.pg_has_role(c.relowner, 'USAGE')::int, n.nspname::text,
       pg_catalog.has_schema_privilege(n.oid, 'CREATE')::int,
       (c.relrowsecurity AND c.relforcerowsecurity
        AND NOT (SELECT r.rolbypassrls OR r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user))::int,
       (EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = c.oid))::int,
       (COALESCE(c.reloptions @> ARRAY['autovacuum_enabled=false'], false)
        OR COALESCE(c.reloptions @> ARRAY['autovacuum_enabled=off'], false))::int,
       pg_catalog.pg_total_relation_size(c.oid)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
 WHERE c.oid = pg_catalog.to_regclass($1)
