INSERT INTO phasegate_history (at, generation, `change`, event, detail) VALUES (UTC_TIMESTAMP(6), ?, ?, ?, ?)
