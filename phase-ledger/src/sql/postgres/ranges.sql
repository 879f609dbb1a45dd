SELECT r.part::text, r.cursor, r.finish, r.rows_done::text
  FROM phasegate.ranges r WHERE r.change = $1 ORDER BY r.part
