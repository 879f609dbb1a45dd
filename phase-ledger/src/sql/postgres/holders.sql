-- Who holds the table now? A second look: by then it may have let go. The text of its query is left out: it has values.
SELECT COALESCE('pid ' || a.pid || ' (' || pg_catalog.left(COALESCE(NULLIF(a.application_name, ''), 'no name'), 64)
                || COALESCE(', ' || a.state, '')
                || COALESCE(', transaction ' || pg_catalog.floor(EXTRACT(EPOCH FROM
                              pg_catalog.clock_timestamp() - a.xact_start))::bigint || ' s old', '')
                || COALESCE(', query begun ' || pg_catalog.floor(EXTRACT(EPOCH FROM
                              pg_catalog.clock_timestamp() - a.query_start))::bigint || ' s ago', '') || ')',
                'a prepared transaction')
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted
   AND l.relation = pg_catalog.to_regclass($1)
   AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
   AND l.mode <> $2
 GROUP BY a.pid, a.application_name, a.state, a.xact_start, a.query_start
 ORDER BY a.xact_start NULLS LAST
 LIMIT 3
