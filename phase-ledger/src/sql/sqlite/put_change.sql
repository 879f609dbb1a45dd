INSERT INTO phasegate_changes (name, ordinal, tables, old_window, new_window, conversion, definition, phase, moving_to,
                               acting, new_shape_live)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 = 1, ?11 = 1)
ON CONFLICT (name) DO UPDATE
   SET ordinal = excluded.ordinal, tables = excluded.tables, old_window = excluded.old_window,
       new_window = excluded.new_window, conversion = excluded.conversion, definition = excluded.definition,
       phase = excluded.phase, moving_to = excluded.moving_to, acting = excluded.acting,
       new_shape_live = excluded.new_shape_live
