DELETE FROM phasegate.ranges WHERE change = $1
