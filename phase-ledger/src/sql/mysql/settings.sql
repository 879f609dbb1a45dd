-- For the whole session of a runner. Any role may set all of them.
SET SESSION autocommit = 1,
            -- Triggers keep the mode they were made in. Strict: a value that does not fit is never cut in silence.
            sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION',
            wait_timeout = 60, -- a frozen runner loses its lock; heartbeats come four times as often
            lock_wait_timeout = 5, -- whole seconds, and a year or a day by default
            innodb_lock_wait_timeout = 5,
            foreign_key_checks = 1,
            unique_checks = 1;
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
