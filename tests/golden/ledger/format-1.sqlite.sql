-- A ledger of format 1, as written by phase_ledger::conformance::write_golden. Recipe: there.
-- sqlite3 `.dump phasegate_%`, SQLite 3.40.1.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE phasegate_ledger (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    format     INTEGER NOT NULL,  -- stays in this place, with this name, in every format to come
    generation INTEGER NOT NULL,
    server     TEXT    NOT NULL,  -- drawn below: a file has no identity of its own
    plan       TEXT,
    runner     TEXT    NOT NULL,
    taken_at   TEXT    NOT NULL
);
INSERT INTO phasegate_ledger VALUES(1,1,2,'e273ca03e2beee25ae8add6953a24571','0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef','golden-2','2026-11-21T08:24:26.542Z');
CREATE TABLE phasegate_changes (
    name           TEXT    NOT NULL PRIMARY KEY,
    ordinal        INTEGER NOT NULL,
    tables         TEXT    NOT NULL,
    old_window     TEXT    NOT NULL,
    new_window     TEXT    NOT NULL,
    conversion     TEXT    NOT NULL,
    definition     TEXT    NOT NULL,
    phase          TEXT    NOT NULL,
    moving_to      TEXT,
    acting         INTEGER NOT NULL,
    new_shape_live INTEGER NOT NULL
);
INSERT INTO phasegate_changes VALUES('add-city',1,'v1 t:addresses','pending..contracted','expanded..contracted','none','definition of add-city','contracted',NULL,0,1);
INSERT INTO phasegate_changes VALUES('split-full-name',2,'v1 t:Sales%20"2024",%20it''s%20100%20%25 t:customers','pending..migrated','migrated..contracted','rows','definition of split-full-name','synced','migrated',1,0);
INSERT INTO phasegate_changes VALUES('later',3,'v1 t:customers','pending..migrated','migrated..contracted','rows','definition of later','pending','expanded',0,0);
CREATE TABLE phasegate_done (
    change TEXT    NOT NULL,
    step   INTEGER NOT NULL,
    PRIMARY KEY (change, step)
);
INSERT INTO phasegate_done VALUES('split-full-name',0);
INSERT INTO phasegate_done VALUES('split-full-name',2);
CREATE TABLE phasegate_backfills (
    change          TEXT    NOT NULL PRIMARY KEY,
    cursor          TEXT    NOT NULL,
    finish          TEXT    NOT NULL,
    rows_done       INTEGER NOT NULL,
    rows_total      INTEGER NOT NULL,
    rows_per_second INTEGER NOT NULL
);
INSERT INTO phasegate_backfills VALUES('split-full-name','v1 i:-5 t:it''s%2050%20%25%0a r:0.1','v1 i:9 n b:00ff',63,100,7);
CREATE TABLE phasegate_history (
    line       INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    change     TEXT,
    event      TEXT    NOT NULL,
    detail     TEXT    NOT NULL
);
INSERT INTO phasegate_history VALUES(1,'2026-11-21T08:24:26.541Z',1,NULL,'take-over','by golden-1 on server e273ca03e2beee25ae8add6953a24571');
INSERT INTO phasegate_history VALUES(2,'2026-11-21T08:24:26.542Z',2,NULL,'take-over','by golden-2 on server e273ca03e2beee25ae8add6953a24571');
INSERT INTO phasegate_history VALUES(3,'2026-11-21T08:24:26.543Z',2,NULL,'plan','0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
INSERT INTO phasegate_history VALUES(4,'2026-11-21T08:24:26.543Z',2,'add-city','register','definition of add-city');
INSERT INTO phasegate_history VALUES(5,'2026-11-21T08:24:26.544Z',2,'split-full-name','register','definition of split-full-name');
INSERT INTO phasegate_history VALUES(6,'2026-11-21T08:24:26.545Z',2,'later','register','definition of later');
INSERT INTO phasegate_history VALUES(7,'2026-11-21T08:24:26.546Z',2,'add-city','intend','pending to expanded');
INSERT INTO phasegate_history VALUES(8,'2026-11-21T08:24:26.547Z',2,'add-city','act','pending to expanded');
INSERT INTO phasegate_history VALUES(9,'2026-11-21T08:24:26.548Z',2,'add-city','settle','expanded');
INSERT INTO phasegate_history VALUES(10,'2026-11-21T08:24:26.548Z',2,'add-city','intend','expanded to synced');
INSERT INTO phasegate_history VALUES(11,'2026-11-21T08:24:26.549Z',2,'add-city','act','expanded to synced');
INSERT INTO phasegate_history VALUES(12,'2026-11-21T08:24:26.550Z',2,'add-city','settle','synced');
INSERT INTO phasegate_history VALUES(13,'2026-11-21T08:24:26.551Z',2,'add-city','intend','synced to migrated');
INSERT INTO phasegate_history VALUES(14,'2026-11-21T08:24:26.552Z',2,'add-city','act','synced to migrated');
INSERT INTO phasegate_history VALUES(15,'2026-11-21T08:24:26.553Z',2,'add-city','settle','migrated');
INSERT INTO phasegate_history VALUES(16,'2026-11-21T08:24:26.553Z',2,'add-city','intend','migrated to contracted');
INSERT INTO phasegate_history VALUES(17,'2026-11-21T08:24:26.554Z',2,'add-city','act','migrated to contracted');
INSERT INTO phasegate_history VALUES(18,'2026-11-21T08:24:26.555Z',2,'add-city','settle','contracted');
INSERT INTO phasegate_history VALUES(19,'2026-11-21T08:24:26.556Z',2,'split-full-name','intend','pending to expanded');
INSERT INTO phasegate_history VALUES(20,'2026-11-21T08:24:26.557Z',2,'split-full-name','act','pending to expanded');
INSERT INTO phasegate_history VALUES(21,'2026-11-21T08:24:26.558Z',2,'split-full-name','settle','expanded');
INSERT INTO phasegate_history VALUES(22,'2026-11-21T08:24:26.559Z',2,'split-full-name','intend','expanded to synced');
INSERT INTO phasegate_history VALUES(23,'2026-11-21T08:24:26.560Z',2,'split-full-name','act','expanded to synced');
INSERT INTO phasegate_history VALUES(24,'2026-11-21T08:24:26.561Z',2,'split-full-name','settle','synced');
INSERT INTO phasegate_history VALUES(25,'2026-11-21T08:24:26.562Z',2,'add-city','new-shape-live','');
INSERT INTO phasegate_history VALUES(26,'2026-11-21T08:24:26.563Z',2,'split-full-name','intend','synced to migrated');
INSERT INTO phasegate_history VALUES(27,'2026-11-21T08:24:26.563Z',2,'split-full-name','act','synced to migrated');
INSERT INTO phasegate_history VALUES(28,'2026-11-21T08:24:26.565Z',2,'split-full-name','done','0');
INSERT INTO phasegate_history VALUES(29,'2026-11-21T08:24:26.565Z',2,'split-full-name','done','2');
INSERT INTO phasegate_history VALUES(30,'2026-11-21T08:24:26.566Z',2,'split-full-name','backfill','63 of 100 rows');
INSERT INTO phasegate_history VALUES(31,'2026-11-21T08:24:26.567Z',2,'later','intend','pending to expanded');
COMMIT;
