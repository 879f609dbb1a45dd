-- Who holds the table? Where the server keeps no account of its locks the open transactions are named, the oldest
-- first. The text of a query is left out: it has values.
SELECT CONCAT('thread ', p.id, ' (', p.user, ', ', LOWER(p.command), ' for ', p.time, ' s)')
  FROM information_schema.innodb_trx t
  JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
 WHERE p.id <> CONNECTION_ID()
 ORDER BY t.trx_started
 LIMIT 3
