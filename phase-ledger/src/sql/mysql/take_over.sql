UPDATE phasegate_ledger
   SET generation = generation + 1, server = @phasegate_server, runner = ?, taken_at = UTC_TIMESTAMP(6)
