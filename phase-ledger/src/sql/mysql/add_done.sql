INSERT INTO phasegate_done (`change`, step) VALUES (?, ?)
