-- A ledger of format 2, as written by phase_ledger::conformance::write_golden. Recipe: there.
-- pg_dump --schema phasegate --inserts --no-owner, PostgreSQL 15.18; psql's own commands and empty comments removed.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
-- Name: phasegate; Type: SCHEMA; Schema: -; Owner: -
CREATE SCHEMA phasegate;
SET default_tablespace = '';
SET default_table_access_method = heap;
-- Name: backfills; Type: TABLE; Schema: phasegate; Owner: -
CREATE TABLE phasegate.backfills (
    change text NOT NULL,
    rows_done bigint NOT NULL,
    rows_total bigint NOT NULL,
    rows_per_second bigint NOT NULL,
    step bigint NOT NULL,
    held text
);
-- Name: changes; Type: TABLE; Schema: phasegate; Owner: -
CREATE TABLE phasegate.changes (
    name text NOT NULL,
    ordinal bigint NOT NULL,
    tables text NOT NULL,
    old_window text NOT NULL,
    new_window text NOT NULL,
    conversion text NOT NULL,
    definition text NOT NULL,
    phase text NOT NULL,
    moving_to text,
    acting boolean NOT NULL,
    new_shape_live boolean NOT NULL
);
-- Name: done; Type: TABLE; Schema: phasegate; Owner: -
CREATE TABLE phasegate.done (
    change text NOT NULL,
    step bigint NOT NULL
);
-- Name: history; Type: TABLE; Schema: phasegate; Owner: -
CREATE TABLE phasegate.history (
    line bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    generation bigint NOT NULL,
    change text,
    event text NOT NULL,
    detail text NOT NULL
);
-- Name: history_line_seq; Type: SEQUENCE; Schema: phasegate; Owner: -
ALTER TABLE phasegate.history ALTER COLUMN line ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME phasegate.history_line_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
-- Name: ledger; Type: TABLE; Schema: phasegate; Owner: -
CREATE TABLE phasegate.ledger (
    one smallint NOT NULL,
    format bigint NOT NULL,
    generation bigint NOT NULL,
    server text NOT NULL,
    plan text,
    runner text NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    paused text,
    CONSTRAINT ledger_one_check CHECK ((one = 1))
);
-- Name: ranges; Type: TABLE; Schema: phasegate; Owner: -
CREATE TABLE phasegate.ranges (
    change text NOT NULL,
    part bigint NOT NULL,
    generation bigint NOT NULL,
    cursor text NOT NULL,
    finish text NOT NULL,
    rows_done bigint NOT NULL
);
-- Data for Name: backfills; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.backfills VALUES ('split-full-name', 63, 100, 7, 3, 'paused by hand: anna: month''s end');
-- Data for Name: changes; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.changes VALUES ('add-city', 1, 'v1 t:addresses', 'pending..contracted', 'expanded..contracted', 'none', 'definition of add-city', 'contracted', NULL, false, true);
INSERT INTO phasegate.changes VALUES ('split-full-name', 2, 'v1 t:Sales%20"2024",%20it''s%20100%20%25 t:customers', 'pending..migrated', 'migrated..contracted', 'rows', 'definition of split-full-name', 'synced', 'migrated', true, false);
INSERT INTO phasegate.changes VALUES ('later', 3, 'v1 t:customers', 'pending..migrated', 'migrated..contracted', 'rows', 'definition of later', 'pending', 'expanded', false, false);
-- Data for Name: done; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.done VALUES ('split-full-name', 0);
INSERT INTO phasegate.done VALUES ('split-full-name', 2);
-- Data for Name: history; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (1, '2026-11-21 12:24:35.180399+00', 1, NULL, 'take-over', 'by golden-1 on server 7710598959894875098');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (2, '2026-11-21 12:24:35.19138+00', 2, NULL, 'take-over', 'by golden-2 on server 7710598959894875098');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (3, '2026-11-21 12:24:35.198331+00', 2, NULL, 'plan', '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (4, '2026-11-21 12:24:35.202419+00', 2, 'add-city', 'register', 'definition of add-city');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (5, '2026-11-21 12:24:35.206281+00', 2, 'split-full-name', 'register', 'definition of split-full-name');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (6, '2026-11-21 12:24:35.210277+00', 2, 'later', 'register', 'definition of later');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (7, '2026-11-21 12:24:35.21419+00', 2, 'add-city', 'intend', 'pending to expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (8, '2026-11-21 12:24:35.218249+00', 2, 'add-city', 'act', 'pending to expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (9, '2026-11-21 12:24:35.222154+00', 2, 'add-city', 'settle', 'expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (10, '2026-11-21 12:24:35.225924+00', 2, 'add-city', 'intend', 'expanded to synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (11, '2026-11-21 12:24:35.230256+00', 2, 'add-city', 'act', 'expanded to synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (12, '2026-11-21 12:24:35.234151+00', 2, 'add-city', 'settle', 'synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (13, '2026-11-21 12:24:35.237549+00', 2, 'add-city', 'intend', 'synced to migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (14, '2026-11-21 12:24:35.242209+00', 2, 'add-city', 'act', 'synced to migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (15, '2026-11-21 12:24:35.246169+00', 2, 'add-city', 'settle', 'migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (16, '2026-11-21 12:24:35.249176+00', 2, 'add-city', 'intend', 'migrated to contracted');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (17, '2026-11-21 12:24:35.254185+00', 2, 'add-city', 'act', 'migrated to contracted');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (18, '2026-11-21 12:24:35.258131+00', 2, 'add-city', 'settle', 'contracted');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (19, '2026-11-21 12:24:35.260913+00', 2, 'split-full-name', 'intend', 'pending to expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (20, '2026-11-21 12:24:35.266208+00', 2, 'split-full-name', 'act', 'pending to expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (21, '2026-11-21 12:24:35.270256+00', 2, 'split-full-name', 'settle', 'expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (22, '2026-11-21 12:24:35.272472+00', 2, 'split-full-name', 'intend', 'expanded to synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (23, '2026-11-21 12:24:35.27811+00', 2, 'split-full-name', 'act', 'expanded to synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (24, '2026-11-21 12:24:35.282151+00', 2, 'split-full-name', 'settle', 'synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (25, '2026-11-21 12:24:35.284086+00', 2, 'add-city', 'new-shape-live', '');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (26, '2026-11-21 12:24:35.289688+00', 2, 'split-full-name', 'intend', 'synced to migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (27, '2026-11-21 12:24:35.291566+00', 2, 'split-full-name', 'act', 'synced to migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (28, '2026-11-21 12:24:35.293553+00', 2, 'split-full-name', 'done', '0');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (29, '2026-11-21 12:24:35.295988+00', 2, 'split-full-name', 'done', '2');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (30, '2026-11-21 12:24:35.302866+00', 2, 'split-full-name', 'backfill', '100 rows in 2 ranges');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (31, '2026-11-21 12:24:35.306215+00', 2, 'later', 'intend', 'pending to expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (32, '2026-11-21 12:24:35.308923+00', 2, NULL, 'pause', 'anna: month''s end');
-- Data for Name: ledger; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.ledger VALUES (1, 2, 2, '7710598959894875098', '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', 'golden-2', '2026-11-21 12:24:35.190896+00', 'anna: month''s end');
-- Data for Name: ranges; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.ranges VALUES ('split-full-name', 0, 2, 'v1 i:-5 t:it''s%2050%20%25%0a r:0.1', 'v1 i:-5 t:it''s%2050%20%25%0a r:0.1', 50);
INSERT INTO phasegate.ranges VALUES ('split-full-name', 1, 2, 'v1 i:-5 t:it''s%2050%20%25%0a r:0.1', 'v1 i:9 n b:00ff', 13);
-- Name: history_line_seq; Type: SEQUENCE SET; Schema: phasegate; Owner: -
SELECT pg_catalog.setval('phasegate.history_line_seq', 32, true);
-- Name: backfills backfills_pkey; Type: CONSTRAINT; Schema: phasegate; Owner: -
ALTER TABLE ONLY phasegate.backfills
    ADD CONSTRAINT backfills_pkey PRIMARY KEY (change);
-- Name: changes changes_pkey; Type: CONSTRAINT; Schema: phasegate; Owner: -
ALTER TABLE ONLY phasegate.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (name);
-- Name: done done_pkey; Type: CONSTRAINT; Schema: phasegate; Owner: -
ALTER TABLE ONLY phasegate.done
    ADD CONSTRAINT done_pkey PRIMARY KEY (change, step);
-- Name: history history_pkey; Type: CONSTRAINT; Schema: phasegate; Owner: -
ALTER TABLE ONLY phasegate.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (line);
-- Name: ledger ledger_pkey; Type: CONSTRAINT; Schema: phasegate; Owner: -
ALTER TABLE ONLY phasegate.ledger
    ADD CONSTRAINT ledger_pkey PRIMARY KEY (one);
-- Name: ranges ranges_pkey; Type: CONSTRAINT; Schema: phasegate; Owner: -
ALTER TABLE ONLY phasegate.ranges
    ADD CONSTRAINT ranges_pkey PRIMARY KEY (change, part);
