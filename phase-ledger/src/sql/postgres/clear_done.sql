DELETE FROM phasegate.done WHERE change = $1
