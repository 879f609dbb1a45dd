-- Transactions that have held a table for a minute and more, prepared ones too.
SELECT COALESCE('pid ' || a.pid || ' (' || pg_catalog.left(COALESCE(NULLIF(a.application_name, ''), 'no name'), 64)
                || COALESCE(', ' || a.state, '') || ')', 'a prepared transaction'),
       COALESCE(pg_catalog.floor(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - min(a.xact_start)))::bigint, 0)
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted AND l.relation = pg_catalog.to_regclass($1)
   AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
   AND (a.pid IS NULL OR a.xact_start < pg_catalog.clock_timestamp() - interval '60 seconds')
 GROUP BY a.pid, a.application_name, a.state
 ORDER BY 2 DESC
 LIMIT 5
