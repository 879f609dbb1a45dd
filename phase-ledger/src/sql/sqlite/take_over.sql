UPDATE phasegate_ledger
   SET generation = generation + 1,
       runner = ?1,
       taken_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
RETURNING CAST(generation AS TEXT), CAST(server AS TEXT)
