INSERT INTO phasegate_history (at, generation, change, event, detail)
VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?1, ?2, ?3, ?4)
