-- Who else is connected to this database. What a user may touch, another cannot see; a replica's or a reader's dump of the
-- binary log reads no table.
SELECT p.user, '', COUNT(*)
FROM information_schema.processlist p
WHERE p.db = DATABASE()
  AND p.user <> SUBSTRING_INDEX(USER(), '@', 1)
  AND p.command NOT LIKE 'Binlog Dump%'
  AND p.user NOT IN ('system user', 'event_scheduler')
GROUP BY p.user
ORDER BY p.user
