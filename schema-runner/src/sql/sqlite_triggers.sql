SELECT name FROM sqlite_master
 WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE AND substr(name, 1, 14) <> 'zzz_phasegate_'
 ORDER BY name
