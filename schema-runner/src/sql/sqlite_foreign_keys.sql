SELECT id, "from", "table" FROM pragma_foreign_key_list(?1) ORDER BY id, seq
