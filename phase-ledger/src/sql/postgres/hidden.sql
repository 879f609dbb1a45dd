-- Seconds since the old shape of a change was hidden last, by the server's own clock, and when that was.
SELECT pg_catalog.floor(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - h.at))::bigint,
       pg_catalog.to_char(h.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  FROM phasegate.history h
 WHERE h.change = $1 AND h.event = 'hide'
 ORDER BY h.line DESC
 LIMIT 1
