-- Who else is connected to this database and may touch one of these tables, as anybody may see it: without
-- pg_read_all_stats the role, the application's name and the process are all that is told of others.
SELECT r.rolname::text, coalesce(s.application_name, ''), count(*)
FROM pg_catalog.pg_stat_activity s
JOIN pg_catalog.pg_roles r ON r.oid = s.usesysid
WHERE s.datname = pg_catalog.current_database()
  AND r.rolname <> session_user
  AND EXISTS (
    SELECT FROM pg_catalog.json_array_elements_text($1::json) AS t (name)
    WHERE pg_catalog.has_table_privilege(r.oid, pg_catalog.to_regclass(t.name), 'SELECT, INSERT, UPDATE, DELETE')
       OR pg_catalog.has_any_column_privilege(r.oid, pg_catalog.to_regclass(t.name), 'SELECT, INSERT, UPDATE'))
GROUP BY 1, 2
ORDER BY 1, 2
