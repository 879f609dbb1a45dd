-- Format 2. Run once, in the transaction of the first takeover; the schema itself exists by then.
CREATE TABLE phasegate.ledger (
    one        smallint    PRIMARY KEY CHECK (one = 1),
    format     bigint      NOT NULL,  -- stays in this place, with this name, in every format to come
    generation bigint      NOT NULL,
    server     text        NOT NULL,
    plan       text,
    runner     text        NOT NULL,
    taken_at   timestamptz NOT NULL,
    paused     text
);
CREATE TABLE phasegate.changes (
    name           text    PRIMARY KEY,
    ordinal        bigint  NOT NULL,
    tables         text    NOT NULL,
    old_window     text    NOT NULL,
    new_window     text    NOT NULL,
    conversion     text    NOT NULL,
    definition     text    NOT NULL,
    phase          text    NOT NULL,
    moving_to      text,
    acting         boolean NOT NULL,
    new_shape_live boolean NOT NULL
);
CREATE TABLE phasegate.done (
    change text   NOT NULL,
    step   bigint NOT NULL,
    PRIMARY KEY (change, step)
);
CREATE TABLE phasegate.backfills (
    change          text   PRIMARY KEY,
    rows_done       bigint NOT NULL,
    rows_total      bigint NOT NULL,
    rows_per_second bigint NOT NULL,
    step            bigint NOT NULL,
    held            text
);
CREATE TABLE phasegate.ranges (
    change     text   NOT NULL,
    part       bigint NOT NULL,
    generation bigint NOT NULL,  -- the fence of the batches in it
    cursor     text   NOT NULL,
    finish     text   NOT NULL,
    rows_done  bigint NOT NULL,
    PRIMARY KEY (change, part)
);
CREATE TABLE phasegate.history (
    line       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    generation bigint      NOT NULL,
    change     text,
    event      text        NOT NULL,
    detail     text        NOT NULL
);
INSERT INTO phasegate.ledger (one, format, generation, server, plan, runner, taken_at)
VALUES (1, 2, 0, '', NULL, '', pg_catalog.clock_timestamp());
