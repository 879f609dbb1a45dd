-- A ledger of format 2, as written by phase_ledger::conformance::write_golden. Recipe: there.
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
    taken_at   TEXT    NOT NULL,
    paused     TEXT
);
INSERT INTO phasegate_ledger VALUES(1,2,2,'b803fb2b67314796b06af34fd70e4eb0','0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef','golden-2','2026-11-21T12:21:28.816Z','anna: month''s end');
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
    rows_done       INTEGER NOT NULL,
    rows_total      INTEGER NOT NULL,
    rows_per_second INTEGER NOT NULL,
    step            INTEGER NOT NULL,
    held            TEXT
);
INSERT INTO phasegate_backfills VALUES('split-full-name',63,100,7,3,'paused by hand: anna: month''s end');
CREATE TABLE phasegate_ranges (
    change     TEXT    NOT NULL,
    part       INTEGER NOT NULL,
    generation INTEGER NOT NULL,  -- the fence of the batches in it
    cursor     TEXT    NOT NULL,
    finish     TEXT    NOT NULL,
    rows_done  INTEGER NOT NULL,
    PRIMARY KEY (change, part)
);
INSERT INTO phasegate_ranges VALUES('split-full-name',0,2,'v1 i:-5 t:it''s%2050%20%25%0a r:0.1','v1 i:-5 t:it''s%2050%20%25%0a r:0.1',50);
INSERT INTO phasegate_ranges VALUES('split-full-name',1,2,'v1 i:-5 t:it''s%2050%20%25%0a r:0.1','v1 i:9 n b:00ff',13);
CREATE TABLE phasegate_history (
    line       INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    change     TEXT,
    event      TEXT    NOT NULL,
    detail     TEXT    NOT NULL
);
INSERT INTO phasegate_history VALUES(1,'2026-11-21T12:21:28.762Z',1,NULL,'take-over','by golden-1 on server b803fb2b67314796b06af34fd70e4eb0');
INSERT INTO phasegate_history VALUES(2,'2026-11-21T12:21:28.816Z',2,NULL,'take-over','by golden-2 on server b803fb2b67314796b06af34fd70e4eb0');
INSERT INTO phasegate_history VALUES(3,'2026-11-21T12:21:28.825Z',2,NULL,'plan','0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
INSERT INTO phasegate_history VALUES(4,'2026-11-21T12:21:28.829Z',2,'add-city','register','definition of add-city');
INSERT INTO phasegate_history VALUES(5,'2026-11-21T12:21:28.833Z',2,'split-full-name','register','definition of split-full-name');
INSERT INTO phasegate_history VALUES(6,'2026-11-21T12:21:28.837Z',2,'later','register','definition of later');
INSERT INTO phasegate_history VALUES(7,'2026-11-21T12:21:28.839Z',2,'add-city','intend','pending to expanded');
INSERT INTO phasegate_history VALUES(8,'2026-11-21T12:21:28.846Z',2,'add-city','act','pending to expanded');
INSERT INTO phasegate_history VALUES(9,'2026-11-21T12:21:28.853Z',2,'add-city','settle','expanded');
INSERT INTO phasegate_history VALUES(10,'2026-11-21T12:21:28.857Z',2,'add-city','intend','expanded to synced');
INSERT INTO phasegate_history VALUES(11,'2026-11-21T12:21:28.860Z',2,'add-city','act','expanded to synced');
INSERT INTO phasegate_history VALUES(12,'2026-11-21T12:21:28.861Z',2,'add-city','settle','synced');
INSERT INTO phasegate_history VALUES(13,'2026-11-21T12:21:28.865Z',2,'add-city','intend','synced to migrated');
INSERT INTO phasegate_history VALUES(14,'2026-11-21T12:21:28.873Z',2,'add-city','act','synced to migrated');
INSERT INTO phasegate_history VALUES(15,'2026-11-21T12:21:28.913Z',2,'add-city','settle','migrated');
INSERT INTO phasegate_history VALUES(16,'2026-11-21T12:21:28.925Z',2,'add-city','intend','migrated to contracted');
INSERT INTO phasegate_history VALUES(17,'2026-11-21T12:21:28.929Z',2,'add-city','act','migrated to contracted');
INSERT INTO phasegate_history VALUES(18,'2026-11-21T12:21:28.937Z',2,'add-city','settle','contracted');
INSERT INTO phasegate_history VALUES(19,'2026-11-21T12:21:28.945Z',2,'split-full-name','intend','pending to expanded');
INSERT INTO phasegate_history VALUES(20,'2026-11-21T12:21:28.961Z',2,'split-full-name','act','pending to expanded');
INSERT INTO phasegate_history VALUES(21,'2026-11-21T12:21:28.967Z',2,'split-full-name','settle','expanded');
INSERT INTO phasegate_history VALUES(22,'2026-11-21T12:21:28.973Z',2,'split-full-name','intend','expanded to synced');
INSERT INTO phasegate_history VALUES(23,'2026-11-21T12:21:28.977Z',2,'split-full-name','act','expanded to synced');
INSERT INTO phasegate_history VALUES(24,'2026-11-21T12:21:28.987Z',2,'split-full-name','settle','synced');
INSERT INTO phasegate_history VALUES(25,'2026-11-21T12:21:28.989Z',2,'add-city','new-shape-live','');
INSERT INTO phasegate_history VALUES(26,'2026-11-21T12:21:28.996Z',2,'split-full-name','intend','synced to migrated');
INSERT INTO phasegate_history VALUES(27,'2026-11-21T12:21:29.025Z',2,'split-full-name','act','synced to migrated');
INSERT INTO phasegate_history VALUES(28,'2026-11-21T12:21:29.044Z',2,'split-full-name','done','0');
INSERT INTO phasegate_history VALUES(29,'2026-11-21T12:21:29.064Z',2,'split-full-name','done','2');
INSERT INTO phasegate_history VALUES(30,'2026-11-21T12:21:29.081Z',2,'split-full-name','backfill','100 rows in 2 ranges');
INSERT INTO phasegate_history VALUES(31,'2026-11-21T12:21:29.085Z',2,'later','intend','pending to expanded');
INSERT INTO phasegate_history VALUES(32,'2026-11-21T12:21:29.093Z',2,NULL,'pause','anna: month''s end');
COMMIT;
