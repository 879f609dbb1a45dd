SELECT t.trigger_name
  FROM information_schema.triggers t
 WHERE t.event_object_schema = COALESCE(?, DATABASE()) AND t.event_object_table = ?
   AND t.trigger_name NOT LIKE 'zzz\_phasegate\_%'
 ORDER BY t.trigger_name
