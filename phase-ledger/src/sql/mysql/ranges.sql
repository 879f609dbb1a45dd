SELECT CAST(r.part AS CHAR), r.`cursor`, r.finish, CAST(r.rows_done AS CHAR)
  FROM phasegate_ranges r WHERE r.`change` = ? ORDER BY r.part
