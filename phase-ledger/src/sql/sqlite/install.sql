-- Format 2. Run once, in the transaction of the first takeover.
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
CREATE TABLE phasegate_done (
    change TEXT    NOT NULL,
    step   INTEGER NOT NULL,
    PRIMARY KEY (change, step)
);
CREATE TABLE phasegate_backfills (
    change          TEXT    NOT NULL PRIMARY KEY,
    rows_done       INTEGER NOT NULL,
    rows_total      INTEGER NOT NULL,
    rows_per_second INTEGER NOT NULL,
    step            INTEGER NOT NULL,
    held            TEXT
);
CREATE TABLE phasegate_ranges (
    change     TEXT    NOT NULL,
    part       INTEGER NOT NULL,
    generation INTEGER NOT NULL,  -- the fence of the batches in it
    cursor     TEXT    NOT NULL,
    finish     TEXT    NOT NULL,
    rows_done  INTEGER NOT NULL,
    PRIMARY KEY (change, part)
);
CREATE TABLE phasegate_history (
    line       INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    change     TEXT,
    event      TEXT    NOT NULL,
    detail     TEXT    NOT NULL
);
INSERT INTO phasegate_ledger (one, format, generation, server, plan, runner, taken_at)
VALUES (1, 2, 0, lower(hex(randomblob(16))), NULL, '', '')
