//! What others do, in the same run and on the same rows: the statements of pgroll's backfill and triggers, written from
//! its description, and the programs `reshape` and `pt-online-schema-change` themselves.

use std::{process::Stdio, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;

use crate::{
    Options,
    backfill::synced,
    database::{Database, Engine, Server},
    figures::Figures,
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
    let ours = synced(options, server, Engine::Postgres, rows, figures).await?;
    let (mut unanalyzed, mut analyzed) = (Vec::new(), Vec::new());
    for (statistics, ratios) in [(false, &mut unanalyzed), (true, &mut analyzed)] {
        if statistics {
            theirs.execute("ANALYZE").await?;
            ours.0.execute("ANALYZE").await?;
        }
        for _ in 0..options.pairs {
            let copy = server.copy(&theirs).await?;
            let time = copy.timed("CALL fill()").await?.as_secs_f64();
            server.drop(copy).await?;
            let copy = server.copy(&ours.0).await?;
            let run = ours.1.run(options, &copy, &[], figures).await?;
            ratios.push(time / run.filled.context("the run told of no backfill")?);
            server.drop(copy).await?;
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
    for database in [theirs, ours.0, migrated] {
        server.drop(database).await?;
    }
    Ok(())
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

/// From the beginning of its `start` to the end, beside the same of ours: both add columns and triggers, and fill.
pub(crate) async fn reshape(options: &Options, server: &Server, figures: &mut Figures) -> Result<()> {
    let Some(binary) = &options.reshape else {
        eprintln!("backfill_vs_reshape: left out, as there is no reshape binary (--reshape)");
        return Ok(());
    };
    let original = server.empty(Engine::Postgres).await?;
    original.customers(options.rows).await?;
    original.execute("ANALYZE").await?;
    let directory = tempfile::tempdir()?;
    let migrations = directory.path().join("migrations");
    std::fs::create_dir_all(&migrations)?;
    std::fs::write(migrations.join("01_alter.toml"), RESHAPE)?;
    let mut ratios = Vec::new();
    for _ in 0..options.pairs {
        let copy = server.copy(&original).await?;
        let began = Instant::now();
        let ended = Command::new(binary)
            .args(["migration", "start", "--url", &copy.url()])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .output()
            .await?;
        let time = began.elapsed().as_secs_f64();
        ensure!(ended.status.success(), "reshape: {}", String::from_utf8_lossy(&ended.stderr));
        server.drop(copy).await?;
        let copy = server.copy(&original).await?;
        let project = crate::runner::Project::new(&copy, "target: migrated")?;
        let began = Instant::now();
        project.run(options, &copy, &[], figures).await?;
        ratios.push(time / began.elapsed().as_secs_f64());
        server.drop(copy).await?;
    }
    figures.median("backfill_vs_reshape", ratios, "x");
    server.drop(original).await
}

/// What pt-online-schema-change does to a table from end to end, beside the same of ours. Both add two columns while an
/// application could write; it copies the table and swaps it, ours fills the columns as well.
pub(crate) async fn pt_osc(options: &Options, server: &Server, figures: &mut Figures) -> Result<()> {
    let program = "pt-online-schema-change";
    if Command::new(program).arg("--version").output().await.is_err() {
        eprintln!("backfill_vs_pt_osc_mariadb: left out, as there is no {program}: apt-get install percona-toolkit");
        return Ok(());
    }
    let original = server.empty(Engine::Mariadb).await?;
    original.customers(options.rows).await?;
    original.execute("ANALYZE TABLE customers").await?;
    let directory = tempfile::tempdir()?;
    let defaults = directory.path().join("defaults");
    std::fs::write(&defaults, format!("[client]\nuser=admin\npassword=\"{}\"\n", tests::mariadb::PASSWORD))?;
    let mut ratios = Vec::new();
    for _ in 0..options.pairs {
        let copy = server.copy(&original).await?;
        let Database::Mariadb(database) = &copy else { bail!("a copy of MariaDB's database is one of MariaDB") };
        let dsn = format!(
            "F={},h=127.0.0.1,P={},D={},t=customers",
            defaults.display(),
            server.mariadb_port(),
            database.name()
        );
        let began = Instant::now();
        let ended = Command::new(program)
            .args(["--execute", "--alter", "ADD COLUMN first_name varchar(200), ADD COLUMN last_name varchar(200)"])
            .args(["--no-version-check", "--recursion-method=none", &dsn])
            .stdin(Stdio::null())
            .output()
            .await?;
        let time = began.elapsed().as_secs_f64();
        let said = [ended.stdout, ended.stderr].concat();
        ensure!(ended.status.success(), "{program}: {}", String::from_utf8_lossy(&said));
        server.drop(copy).await?;
        let copy = server.copy(&original).await?;
        let project = crate::runner::Project::new(&copy, "target: migrated")?;
        let began = Instant::now();
        project.run(options, &copy, &[], figures).await?;
        ratios.push(time / began.elapsed().as_secs_f64());
        server.drop(copy).await?;
    }
    figures.median("backfill_vs_pt_osc_mariadb", ratios, "x");
    server.drop(original).await
}
