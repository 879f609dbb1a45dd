SELECT CAST(r.part AS TEXT), CAST(r.cursor AS TEXT), CAST(r.finish AS TEXT), CAST(r.rows_done AS TEXT)
  FROM phasegate_ranges r WHERE r.change = ?1 ORDER BY r.part
