//! What others do, in the same run and on the same rows: the statements of pgroll's backfill and triggers, written from
//! its description, and the programs `reshape` and `pt-online-schema-change` themselves.

use std::{process::Stdio, time::Instant};

use anyhow::{Result, bail, ensure};
use tokio::process::Command;

use crate::{
    Options,
    database::{Database, Engine, Server},
    figures::Figures,
    original::Original,
    runner::Project,
    triggers::mapped,
};

/// Its two triggers for one column pair: each direction has a function that compares `search_path` with the name of a
/// version's schema, fires on every write, and marks the row as filled.
const TRIGGERS: &str = "
ALTER TABLE customers ADD COLUMN _pgroll_new_full_name text, ADD COLUMN _pgroll_needs_backfill boolean DEFAULT true;
CREATE FUNCTION up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE id customers.id%TYPE := NEW.id; full_name customers.full_name%TYPE := NEW.full_name;
    latest_schema text; search_path text;
BEGIN
    SELECT current_setting INTO search_path FROM current_setting('search_path');
    IF search_path != 'public_02_split' THEN
        NEW._pgroll_new_full_name = upper(full_name);
        NEW._pgroll_needs_backfill = false;
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION down() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE id customers.id%TYPE := NEW.id; full_name customers._pgroll_new_full_name%TYPE := NEW._pgroll_new_full_name;
    latest_schema text; search_path text;
BEGIN
    SELECT current_setting INTO search_path FROM current_setting('search_path');
    IF search_path = 'public_02_split' THEN
        NEW.full_name = lower(full_name);
        NEW._pgroll_needs_backfill = false;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER _pgroll_trigger_up BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION up();
CREATE TRIGGER _pgroll_trigger_down BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION down();
";

/// Its batch of 1,000 rows, again and again until it finds none, from one connection; here from a procedure, which spares
/// it the round trips.
const BATCHES: &str = "
CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$
DECLARE last bigint;
BEGIN
    LOOP
        WITH batch AS (
            SELECT id FROM customers
             WHERE _pgroll_needs_backfill = true AND (last IS NULL OR id > last)
             ORDER BY id LIMIT 1000 FOR NO KEY UPDATE
        ), update AS (
            UPDATE customers SET id = customers.id FROM batch WHERE customers.id = batch.id RETURNING customers.id
        )
        SELECT max(id) INTO last FROM update;
        COMMIT;
        EXIT WHEN last IS NULL;
    END LOOP;
END $$;
";

async fn prepared(server: &Server, rows: u64) -> Result<Database> {
    let database = server.empty(Engine::Postgres).await?;
    database.customers(rows).await?;
    database.execute(TRIGGERS).await?;
    database.execute(BATCHES).await?;
    Ok(database)
}

pub(crate) async fn pgroll(options: &Options, server: &Server, figures: &mut Figures) -> Result<()> {
    // Its batches grow slower with the table, so a third of the rows is kind to it.
    let rows = options.rows * 3 / 10;
    let theirs = prepared(server, rows).await?;
    let ours = Original::synced(options, server, Engine::Postgres, rows, figures).await?;
    let (mut unanalyzed, mut analyzed) = (Vec::new(), Vec::new());
    for (statistics, ratios) in [(false, &mut unanalyzed), (true, &mut analyzed)] {
        if statistics {
            theirs.execute("ANALYZE").await?;
            ours.analyze().await?;
        }
        for _ in 0..options.pairs {
            let copy = server.copy(&theirs).await?;
            let time = copy.timed("CALL fill()").await?.as_secs_f64();
            server.drop(copy).await?;
            ratios.push(time / ours.fill(options, server, &[], figures).await?.filled()?);
        }
    }
    figures.median("backfill_vs_pgroll_batch", unanalyzed, "x");
    figures.median("backfill_vs_pgroll_batch_analyzed", analyzed, "x");
    let migrated = crate::triggers::migrated(options, server, Engine::Postgres, rows, figures).await?;
    theirs.execute("CALL fill()").await?;
    theirs.execute("VACUUM FULL ANALYZE customers").await?;
    let (mut ratios, mapped) = (Vec::new(), mapped(Engine::Postgres));
    for _ in 0..options.pairs {
        let copy = server.copy(&theirs).await?;
        let time = copy.timed(&mapped).await?.as_secs_f64();
        server.drop(copy).await?;
        let copy = server.copy(&migrated).await?;
        ratios.push(time / copy.timed(&mapped).await?.as_secs_f64());
        server.drop(copy).await?;
    }
    figures.median("trigger_vs_pgroll", ratios, "x");
    server.drop(theirs).await?;
    server.drop(migrated).await?;
    ours.end(server).await
}

/// A column made anew from another, by its `alter_column`.
const RESHAPE: &str = r#"
[[actions]]
type = "alter_column"
table = "customers"
column = "full_name"
up = "upper(full_name)"
down = "lower(full_name)"

    [actions.changes]
    nullable = false
"#;

/// Times what another program does to a new table, and then what a whole run of ours does to one like it.
async fn beside(
    options: &Options,
    server: &Server,
    engine: Engine,
    arguments: &[&str],
    figures: &mut Figures,
    theirs: impl AsyncFn(&Database) -> Result<Vec<f64>>,
) -> Result<(Vec<f64>, f64)> {
    let table = async || -> Result<Database> {
        let database = server.empty(engine).await?;
        database.customers(options.rows_of(engine)).await?;
        database.analyze().await?;
        Ok(database)
    };
    let database = table().await?;
    let times = theirs(&database).await?;
    server.drop(database).await?;
    let database = table().await?;
    let project = Project::new(engine, "target: migrated")?;
    let began = Instant::now();
    project.run(options, &database, arguments, figures).await?;
    let time = began.elapsed().as_secs_f64();
    server.drop(database).await?;
    Ok((times, time))
}

/// Seconds until a program has ended well.
async fn ended(program: &mut Command) -> Result<f64> {
    let began = Instant::now();
    let ended = program.stdin(Stdio::null()).output().await?;
    let time = began.elapsed().as_secs_f64();
    let said = [ended.stdout, ended.stderr].concat();
    ensure!(ended.status.success(), "{program:?}: {}", String::from_utf8_lossy(&said));
    Ok(time)
}

/// From the beginning of its `start` to the end, beside the same of ours: both add columns and triggers, and fill.
pub(crate) async fn reshape(options: &Options, server: &Server, figures: &mut Figures) -> Result<()> {
    let Some(binary) = options.reshape.as_ref().filter(|binary| binary.is_file()) else {
        bail!("there is no reshape binary (--reshape)");
    };
    // It looks for its migrations where it is started.
    let binary = &binary.canonicalize()?;
    let directory = tempfile::tempdir()?;
    let migrations = directory.path().join("migrations");
    std::fs::create_dir_all(&migrations)?;
    std::fs::write(migrations.join("01_alter.toml"), RESHAPE)?;
    let (mut ratios, mut by_two, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.pairs {
        let theirs = async |database: &Database| -> Result<Vec<f64>> {
            let mut start = Command::new(binary);
            start.args(["migration", "start", "--url", &database.url()]).current_dir(directory.path());
            Ok(vec![ended(&mut start).await?])
        };
        // Both as they are where nobody says otherwise, which for ours is one connection; and ours with two.
        let ways: [(&[&str], &mut Vec<f64>); 2] = [(&[], &mut ratios), (&["--connections", "2"], &mut by_two)];
        for (arguments, ratios) in ways {
            let (times, ours) = beside(options, server, Engine::Postgres, arguments, figures, &theirs).await?;
            ratios.push(times.iter().sum::<f64>() / ours);
            seconds.extend(times);
        }
    }
    figures.median("backfill_vs_reshape", ratios, "x");
    figures.median("backfill_2_vs_reshape", by_two, "x");
    figures.median("reshape_s", seconds, "s");
    Ok(())
}

const PT_OSC: &str = "pt-online-schema-change";

/// What it takes until both columns stand in the table with their values, while an application could write.
///
/// pt-online-schema-change adds columns by copying the table, and leaves them empty: it has no way to fill them, but as
/// generated columns, which no new version could write. So one single UPDATE follows it; in life that would be batches, as it
/// locks all rows, and is slower then. The time of its program alone is told beside.
pub(crate) async fn pt_osc(options: &Options, server: &Server, figures: &mut Figures) -> Result<()> {
    if Command::new(PT_OSC).arg("--version").output().await.is_err() {
        bail!("there is no {PT_OSC}: apt-get install percona-toolkit");
    }
    let directory = tempfile::tempdir()?;
    let defaults = directory.path().join("defaults");
    std::fs::write(&defaults, format!("[client]\nuser=admin\npassword=\"{}\"\n", tests::mariadb::PASSWORD))?;
    let fill = "UPDATE customers SET first_name = SUBSTRING_INDEX(full_name, ' ', 1), \
                last_name = SUBSTRING(full_name, CHAR_LENGTH(SUBSTRING_INDEX(full_name, ' ', 1)) + 2)";
    let (mut whole, mut alone, mut by_one, mut seconds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.pairs {
        let theirs = async |database: &Database| -> Result<Vec<f64>> {
            let Database::Mariadb(of) = database else { bail!("that is no database of MariaDB") };
            let port = server.mariadb_port();
            let dsn = format!("F={},h=127.0.0.1,P={port},D={},t=customers", defaults.display(), of.name());
            let mut change = Command::new(PT_OSC);
            change.args([
                "--execute",
                "--alter",
                "ADD COLUMN first_name varchar(200), ADD COLUMN last_name varchar(200)",
            ]);
            change.args(["--no-version-check", "--recursion-method=none", &dsn]);
            Ok(vec![ended(&mut change).await?, database.timed(fill).await?.as_secs_f64()])
        };
        for (connections, ratios) in [("1", &mut by_one), ("2", &mut whole)] {
            let arguments = ["--connections", connections];
            let (times, ours) = beside(options, server, Engine::Mariadb, &arguments, figures, &theirs).await?;
            ratios.push(times.iter().sum::<f64>() / ours);
            if connections == "2" {
                alone.push(times[0] / ours);
                seconds.push(times[0]);
            }
        }
    }
    figures.median("pt_osc_alone_s", seconds, "s");
    figures.median("backfill_vs_pt_osc_alone_mariadb", alone, "x");
    figures.median("backfill_1_vs_pt_osc_mariadb", by_one, "x");
    figures.median("backfill_vs_pt_osc_mariadb", whole, "x");
    Ok(())
}
