-- Asked when read.sql cannot be answered: what is there instead?
SELECT (SELECT group_concat(m.name, ',') FROM sqlite_master m
         WHERE m.name IN ('phasegate_ledger', 'phasegate_changes', 'phasegate_done', 'phasegate_backfills')),
       (SELECT group_concat(made.name, ', ')
          FROM (SELECT m.type || ' ' || m.name AS name FROM sqlite_master m
                 WHERE m.name GLOB 'zzz_phasegate_*' ORDER BY 1 LIMIT 10) made)
