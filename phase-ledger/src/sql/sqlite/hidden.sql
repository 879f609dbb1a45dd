-- Seconds since the old shape of a change was hidden last, by the same clock, and when that was.
SELECT CAST(strftime('%s', 'now') AS INTEGER) - CAST(strftime('%s', h.at) AS INTEGER), h.at
  FROM phasegate_history h
 WHERE h.change = ?1 AND h.event = 'hide'
 ORDER BY h.line DESC
 LIMIT 1
