-- From format 1 to 2. Columns are altered and not made anew, so that what the gate's role was granted stays. A backfill
-- under way begins again: it passes over the rows that are filled.
CREATE TABLE phasegate.ranges (
    change     text   NOT NULL,
    part       bigint NOT NULL,
    generation bigint NOT NULL,  -- the fence of the batches in it
    cursor     text   NOT NULL,
    finish     text   NOT NULL,
    rows_done  bigint NOT NULL,
    PRIMARY KEY (change, part)
);
DELETE FROM phasegate.backfills;
ALTER TABLE phasegate.backfills DROP COLUMN cursor, DROP COLUMN finish,
    ADD COLUMN step bigint NOT NULL, ADD COLUMN held text;
ALTER TABLE phasegate.ledger ADD COLUMN paused text;
UPDATE phasegate.ledger SET format = 2;
