INSERT INTO phasegate.changes (name, ordinal, tables, old_window, new_window, conversion, definition, phase, moving_to,
                               acting, new_shape_live)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10 = 1, $11 = 1)
ON CONFLICT (name) DO UPDATE
   SET ordinal = EXCLUDED.ordinal, tables = EXCLUDED.tables, old_window = EXCLUDED.old_window,
       new_window = EXCLUDED.new_window, conversion = EXCLUDED.conversion, definition = EXCLUDED.definition,
       phase = EXCLUDED.phase, moving_to = EXCLUDED.moving_to, acting = EXCLUDED.acting,
       new_shape_live = EXCLUDED.new_shape_live
