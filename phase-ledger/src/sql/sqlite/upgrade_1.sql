-- From format 1 to 2. A backfill under way begins again: it passes over the rows that are filled.
CREATE TABLE phasegate_ranges (
    change     TEXT    NOT NULL,
    part       INTEGER NOT NULL,
    generation INTEGER NOT NULL,  -- the fence of the batches in it
    cursor     TEXT    NOT NULL,
    finish     TEXT    NOT NULL,
    rows_done  INTEGER NOT NULL,
    PRIMARY KEY (change, part)
);
DROP TABLE phasegate_backfills;
CREATE TABLE phasegate_backfills (
    change          TEXT    NOT NULL PRIMARY KEY,
    rows_done       INTEGER NOT NULL,
    rows_total      INTEGER NOT NULL,
    rows_per_second INTEGER NOT NULL,
    step            INTEGER NOT NULL,
    held            TEXT
);
ALTER TABLE phasegate_ledger ADD COLUMN paused TEXT;
UPDATE phasegate_ledger SET format = 2
