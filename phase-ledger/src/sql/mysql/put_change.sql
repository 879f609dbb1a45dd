INSERT INTO phasegate_changes (name, ordinal, tables, old_window, new_window, conversion, definition, phase, moving_to,
                               acting, new_shape_live)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE
       ordinal = VALUES(ordinal), tables = VALUES(tables), old_window = VALUES(old_window),
       new_window = VALUES(new_window), conversion = VALUES(conversion), definition = VALUES(definition),
       phase = VALUES(phase), moving_to = VALUES(moving_to), acting = VALUES(acting),
       new_shape_live = VALUES(new_shape_live)
