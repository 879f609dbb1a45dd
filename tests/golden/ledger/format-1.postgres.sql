-- A ledger of format 1, as written by phase_ledger::conformance::write_golden. Recipe: there.
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
CREATE SCHEMA phasegate;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE phasegate.backfills (
    change text NOT NULL,
    cursor text NOT NULL,
    finish text NOT NULL,
    rows_done bigint NOT NULL,
    rows_total bigint NOT NULL,
    rows_per_second bigint NOT NULL
);
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
CREATE TABLE phasegate.done (
    change text NOT NULL,
    step bigint NOT NULL
);
CREATE TABLE phasegate.history (
    line bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    generation bigint NOT NULL,
    change text,
    event text NOT NULL,
    detail text NOT NULL
);
ALTER TABLE phasegate.history ALTER COLUMN line ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME phasegate.history_line_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE phasegate.ledger (
    one smallint NOT NULL,
    format bigint NOT NULL,
    generation bigint NOT NULL,
    server text NOT NULL,
    plan text,
    runner text NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_one_check CHECK ((one = 1))
);
-- Data for Name: backfills; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.backfills VALUES ('split-full-name', 'v1 i:-5 t:it''s%2050%20%25%0a r:0.1', 'v1 i:9 n b:00ff', 63, 100, 7);
-- Data for Name: changes; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.changes VALUES ('add-city', 1, 'v1 t:addresses', 'pending..contracted', 'expanded..contracted', 'none', 'definition of add-city', 'contracted', NULL, false, true);
INSERT INTO phasegate.changes VALUES ('split-full-name', 2, 'v1 t:Sales%20"2024",%20it''s%20100%20%25 t:customers', 'pending..migrated', 'migrated..contracted', 'rows', 'definition of split-full-name', 'synced', 'migrated', true, false);
INSERT INTO phasegate.changes VALUES ('later', 3, 'v1 t:customers', 'pending..migrated', 'migrated..contracted', 'rows', 'definition of later', 'pending', 'expanded', false, false);
-- Data for Name: done; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.done VALUES ('split-full-name', 0);
INSERT INTO phasegate.done VALUES ('split-full-name', 2);
-- Data for Name: history; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (1, '2026-11-21 08:24:31.169043+00', 1, NULL, 'take-over', 'by golden-1 on server 7710537764661543111');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (2, '2026-11-21 08:24:31.17051+00', 2, NULL, 'take-over', 'by golden-2 on server 7710537764661543111');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (3, '2026-11-21 08:24:31.171482+00', 2, NULL, 'plan', '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (4, '2026-11-21 08:24:31.172724+00', 2, 'add-city', 'register', 'definition of add-city');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (5, '2026-11-21 08:24:31.17368+00', 2, 'split-full-name', 'register', 'definition of split-full-name');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (6, '2026-11-21 08:24:31.174558+00', 2, 'later', 'register', 'definition of later');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (7, '2026-11-21 08:24:31.175478+00', 2, 'add-city', 'intend', 'pending to expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (8, '2026-11-21 08:24:31.176427+00', 2, 'add-city', 'act', 'pending to expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (9, '2026-11-21 08:24:31.177355+00', 2, 'add-city', 'settle', 'expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (10, '2026-11-21 08:24:31.178237+00', 2, 'add-city', 'intend', 'expanded to synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (11, '2026-11-21 08:24:31.179104+00', 2, 'add-city', 'act', 'expanded to synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (12, '2026-11-21 08:24:31.179957+00', 2, 'add-city', 'settle', 'synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (13, '2026-11-21 08:24:31.180943+00', 2, 'add-city', 'intend', 'synced to migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (14, '2026-11-21 08:24:31.181879+00', 2, 'add-city', 'act', 'synced to migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (15, '2026-11-21 08:24:31.182766+00', 2, 'add-city', 'settle', 'migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (16, '2026-11-21 08:24:31.183631+00', 2, 'add-city', 'intend', 'migrated to contracted');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (17, '2026-11-21 08:24:31.18459+00', 2, 'add-city', 'act', 'migrated to contracted');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (18, '2026-11-21 08:24:31.185469+00', 2, 'add-city', 'settle', 'contracted');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (19, '2026-11-21 08:24:31.186342+00', 2, 'split-full-name', 'intend', 'pending to expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (20, '2026-11-21 08:24:31.187206+00', 2, 'split-full-name', 'act', 'pending to expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (21, '2026-11-21 08:24:31.188032+00', 2, 'split-full-name', 'settle', 'expanded');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (22, '2026-11-21 08:24:31.188994+00', 2, 'split-full-name', 'intend', 'expanded to synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (23, '2026-11-21 08:24:31.189856+00', 2, 'split-full-name', 'act', 'expanded to synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (24, '2026-11-21 08:24:31.19073+00', 2, 'split-full-name', 'settle', 'synced');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (25, '2026-11-21 08:24:31.191624+00', 2, 'add-city', 'new-shape-live', '');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (26, '2026-11-21 08:24:31.192596+00', 2, 'split-full-name', 'intend', 'synced to migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (27, '2026-11-21 08:24:31.193484+00', 2, 'split-full-name', 'act', 'synced to migrated');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (28, '2026-11-21 08:24:31.194461+00', 2, 'split-full-name', 'done', '0');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (29, '2026-11-21 08:24:31.195389+00', 2, 'split-full-name', 'done', '2');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (30, '2026-11-21 08:24:31.196546+00', 2, 'split-full-name', 'backfill', '63 of 100 rows');
INSERT INTO phasegate.history OVERRIDING SYSTEM VALUE VALUES (31, '2026-11-21 08:24:31.197633+00', 2, 'later', 'intend', 'pending to expanded');
-- Data for Name: ledger; Type: TABLE DATA; Schema: phasegate; Owner: -
INSERT INTO phasegate.ledger VALUES (1, 1, 2, '7710537764661543111', '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', 'golden-2', '2026-11-21 08:24:31.170352+00');
SELECT pg_catalog.setval('phasegate.history_line_seq', 31, true);
ALTER TABLE ONLY phasegate.backfills
    ADD CONSTRAINT backfills_pkey PRIMARY KEY (change);
ALTER TABLE ONLY phasegate.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (name);
ALTER TABLE ONLY phasegate.done
    ADD CONSTRAINT done_pkey PRIMARY KEY (change, step);
ALTER TABLE ONLY phasegate.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (line);
ALTER TABLE ONLY phasegate.ledger
    ADD CONSTRAINT ledger_pkey PRIMARY KEY (one);
