-- Seconds since the old shape of a change was hidden last, by the server's own clock, and when that was.
SELECT TIMESTAMPDIFF(SECOND, h.at, UTC_TIMESTAMP(6)), DATE_FORMAT(h.at, '%Y-%m-%dT%H:%i:%sZ')
  FROM phasegate_history h
 WHERE h.`change` = ? AND h.event = 'hide'
 ORDER BY h.line DESC
 LIMIT 1
