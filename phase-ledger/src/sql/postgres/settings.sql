-- For the whole session of a runner. A role may set all of them.
SET client_connection_check_interval = '1s'; -- a statement ends soon after its client does
SET idle_session_timeout = '60s';            -- a frozen runner loses its lock; heartbeats come four times as often
SET idle_in_transaction_session_timeout = '60s';
SET tcp_keepalives_idle = '10s';
SET tcp_keepalives_interval = '5s';
SET tcp_keepalives_count = 3;
SET synchronous_commit = 'on';
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET default_transaction_deferrable = off;
SET statement_timeout = 0;                   -- a role's default would cut an index build or a scan in half
SET lock_timeout = '5s';                     -- and yet nothing waits for ever
SET jit = off;                               -- our reads are too small for it
SET client_min_messages = 'warning';
SELECT pg_catalog.set_config(s.name, '0', false) FROM pg_catalog.pg_settings s WHERE s.name = 'transaction_timeout'
