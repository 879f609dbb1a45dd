-- Format 2, the first one here. DDL commits by itself here, so the ledger gets its name last, in one step, when all of it stands: who dies
-- half-way leaves empty tables that the next one uses.
CREATE TABLE IF NOT EXISTS phasegate_changes (
    name           VARCHAR(255) NOT NULL PRIMARY KEY,
    ordinal        BIGINT       NOT NULL,
    tables         LONGTEXT     NOT NULL,
    old_window     VARCHAR(255) NOT NULL,
    new_window     VARCHAR(255) NOT NULL,
    conversion     VARCHAR(255) NOT NULL,
    definition     LONGTEXT     NOT NULL,
    phase          VARCHAR(255) NOT NULL,
    moving_to      VARCHAR(255),
    acting         TINYINT      NOT NULL,
    new_shape_live TINYINT      NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS phasegate_done (
    `change` VARCHAR(255) NOT NULL,
    step     BIGINT       NOT NULL,
    PRIMARY KEY (`change`, step)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS phasegate_backfills (
    `change`        VARCHAR(255) NOT NULL PRIMARY KEY,
    rows_done       BIGINT       NOT NULL,
    rows_total      BIGINT       NOT NULL,
    rows_per_second BIGINT       NOT NULL,
    step            BIGINT       NOT NULL,
    held            LONGTEXT
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS phasegate_ranges (
    `change`   VARCHAR(255) NOT NULL,
    part       BIGINT       NOT NULL,
    generation BIGINT       NOT NULL, -- the fence of the batches in it
    `cursor`   LONGTEXT     NOT NULL,
    finish     LONGTEXT     NOT NULL,
    rows_done  BIGINT       NOT NULL,
    PRIMARY KEY (`change`, part)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS phasegate_history (
    line       BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at         DATETIME(6)  NOT NULL,
    generation BIGINT       NOT NULL,
    `change`   VARCHAR(255),
    event      VARCHAR(255) NOT NULL,
    detail     LONGTEXT     NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
CREATE TABLE IF NOT EXISTS phasegate_ledger_new (
    one        SMALLINT     NOT NULL PRIMARY KEY CHECK (one = 1),
    format     BIGINT       NOT NULL, -- stays in this place, with this name, in every format to come
    generation BIGINT       NOT NULL,
    server     VARCHAR(255) NOT NULL,
    plan       VARCHAR(255),
    runner     LONGTEXT     NOT NULL,
    taken_at   DATETIME(6)  NOT NULL,
    paused     LONGTEXT
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
REPLACE INTO phasegate_ledger_new (one, format, generation, server, plan, runner, taken_at)
VALUES (1, 2, 0, '', NULL, '', UTC_TIMESTAMP(6));
RENAME TABLE phasegate_ledger_new TO phasegate_ledger;
