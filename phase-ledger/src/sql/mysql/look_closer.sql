-- Asked when read.sql cannot be answered: what is there instead? A role sees of the catalog what it has rights on.
SELECT IF(CAST(@@global.read_only AS CHAR) IN ('0', 'OFF'), '0', '1'),
       (SELECT GROUP_CONCAT(t.table_name) FROM information_schema.tables t
         WHERE t.table_schema = DATABASE()
           AND t.table_name IN ('phasegate_ledger', 'phasegate_changes', 'phasegate_done', 'phasegate_backfills')),
       (SELECT GROUP_CONCAT(made.name ORDER BY made.name SEPARATOR ', ')
          FROM (SELECT CONCAT('trigger ', t.trigger_name) AS name FROM information_schema.triggers t
                 WHERE t.trigger_schema = DATABASE() AND t.trigger_name LIKE 'zzz\_phasegate\_%'
                UNION
                SELECT CONCAT('function or procedure ', r.routine_name) FROM information_schema.routines r
                 WHERE r.routine_schema = DATABASE() AND r.routine_name LIKE 'zzz\_phasegate\_%'
                UNION
                SELECT CONCAT('column ', c.table_name, '.', c.column_name, ' with the comment ',
                              QUOTE(LEFT(c.column_comment, 80)))
                  FROM information_schema.columns c
                 WHERE c.table_schema = DATABASE() AND c.column_comment LIKE 'phasegate: %'
                UNION
                SELECT CONCAT('table ', t.table_name, ' with the comment ', QUOTE(LEFT(t.table_comment, 80)))
                  FROM information_schema.tables t
                 WHERE t.table_schema = DATABASE() AND t.table_comment LIKE 'phasegate: %'
                 LIMIT 10) made)
