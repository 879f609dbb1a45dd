SELECT (EXISTS (SELECT FROM pg_catalog.pg_locks l
                 WHERE l.locktype = 'advisory' AND l.granted AND l.pid = pg_catalog.pg_backend_pid()
                   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                                      WHERE d.datname = pg_catalog.current_database())
                   AND l.classid = (8099831078076244340 >> 32)::oid
                   AND l.objid = (8099831078076244340 & 4294967295)::oid
                   AND l.objsubid = 1))::text,
       pg_catalog.current_setting('phasegate.connection', true)
