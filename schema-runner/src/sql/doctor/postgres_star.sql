-- Statements that ask for all columns of a table, the most frequent ones.
SELECT pg_catalog.left(pg_catalog.regexp_replace(s.query, '\s+', ' ', 'g'), 120), sum(s.calls)::bigint
  FROM pg_stat_statements s
  JOIN pg_catalog.pg_database d ON d.oid = s.dbid AND d.datname = pg_catalog.current_database()
 WHERE s.query ~* ('\y' || $1 || '\y') AND (s.query ~* '^\s*select\s+(\w+\.)?\*' OR s.query ~* '\yreturning\s+\*')
   AND s.query NOT LIKE '%pg_stat_statements%'
 GROUP BY 1 ORDER BY 2 DESC LIMIT 3
