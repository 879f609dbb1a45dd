//! Our backfill beside one single UPDATE of the same rows, with the same triggers on the table and without.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail};
use schema_changes::{Catalog, ColumnFacts, Plan, Step, TableFacts};
use schema_phases::{Move, SchemaPhase};

use crate::{
    Options,
    database::{Database, Engine, Server},
    figures::Figures,
    runner::Project,
};

/// The UPDATE that the backfill cuts into ranges, in one piece.
pub(crate) fn whole(project: &Project, engine: Engine) -> Result<String> {
    let mut files = BTreeMap::new();
    for file in ["phasegate.yaml", "changes/0001-split.yaml"] {
        files.insert(file.to_owned(), fs::read_to_string(project.path("plan").join(file))?);
    }
    let plan = Plan::read(&files).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let text = engine.text();
    let column = |name: &str, sql_type: &str, nullable| ColumnFacts {
        name: name.to_owned(),
        sql_type: sql_type.to_owned(),
        nullable,
        default: None,
        generated: false,
    };
    let facts = TableFacts {
        schema: (engine == Engine::Postgres).then(|| "public".to_owned()),
        columns: vec![
            column("id", "bigint", false),
            column("full_name", text, engine == Engine::Sqlite),
            column("city", text, true),
            column("note", text, true),
            column("first_name", text, true),
            column("last_name", text, true),
        ],
        primary_key: vec!["id".to_owned()],
        definition: (engine == Engine::Sqlite).then(|| "CREATE TABLE customers (id bigint)".to_owned()),
        ..TableFacts::default()
    };
    let catalog = Catalog::from([("customers".to_owned(), facts)]);
    let change = plan.changes.first().context("no change")?;
    let step = Move::new(SchemaPhase::Synced, SchemaPhase::Migrated)?;
    let steps = schema_changes::steps(change, step, plan.database.engine, &catalog)?;
    for step in steps {
        if let Step::Backfill(it) = step {
            return Ok(format!("UPDATE customers SET {} WHERE {}", it.assignments, it.unfilled));
        }
    }
    bail!("the change has no backfill")
}

/// A table at `synced`, made once and copied for each measurement.
pub(crate) async fn synced(
    options: &Options,
    server: &Server,
    engine: Engine,
    rows: u64,
    figures: &mut Figures,
) -> Result<(Database, Project)> {
    let database = server.empty(engine).await?;
    database.customers(rows).await?;
    let project = Project::new(&database, "target: synced")?;
    project.run(options, &database, &[], figures).await?;
    project.target("target: migrated")?;
    Ok((database, project))
}

/// Seconds that our backfill takes on a copy.
async fn ours(
    options: &Options,
    server: &Server,
    (original, project): &(Database, Project),
    arguments: &[&str],
    figures: &mut Figures,
) -> Result<f64> {
    let copy = server.copy(original).await?;
    let run = project.run(options, &copy, arguments, figures).await?;
    server.drop(copy).await?;
    run.filled.context("the run told of no backfill")
}

pub(crate) async fn beside_one_update(
    options: &Options,
    server: &Server,
    engine: Engine,
    figures: &mut Figures,
) -> Result<()> {
    let (rows, of) = (options.rows as f64, synced(options, server, engine, options.rows, figures).await?);
    let update = whole(&of.1, engine)?;
    let connections: &[u32] = match engine {
        Engine::Postgres | Engine::Mariadb => &[1, 2],
        Engine::Sqlite => &[1],
    };
    let mut ratios: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    let (mut single, mut bare, mut rates) = (Vec::new(), Vec::new(), BTreeMap::<u32, Vec<f64>>::new());
    for _ in 0..options.pairs {
        let copy = server.copy(&of.0).await?;
        let one = copy.timed(&update).await?.as_secs_f64();
        server.drop(copy).await?;
        single.push(rows / one);
        for count in connections {
            let time = ours(options, server, &of, &["--connections", &count.to_string()], figures).await?;
            ratios.entry(*count).or_default().push(one / time);
            rates.entry(*count).or_default().push(rows / time);
        }
        let copy = server.copy(&of.0).await?;
        copy.without_triggers().await?;
        bare.push(rows / copy.timed(&update).await?.as_secs_f64());
        server.drop(copy).await?;
    }
    figures.median(format!("single_update_{engine}"), single, "rows/s");
    figures.median(format!("single_update_without_triggers_{engine}"), bare, "rows/s");
    for (count, ratios) in ratios {
        figures.median(format!("backfill_vs_single_update_{count}_{engine}"), ratios, "x");
        figures.median(format!("backfill_{count}_{engine}"), rates.remove(&count).unwrap_or_default(), "rows/s");
    }
    server.drop(of.0).await
}

/// The slowest rate by the fastest, from small to large tables, with and without statistics.
pub(crate) async fn flatness(options: &Options, server: &Server, engine: Engine, figures: &mut Figures) -> Result<()> {
    let mut sizes = vec![10_000];
    while let Some(next) = sizes.last().map(|size| size * 10).filter(|next| *next <= options.largest) {
        sizes.push(next);
    }
    let mut all = Vec::new();
    for rows in sizes {
        let of = synced(options, server, engine, rows, figures).await?;
        for statistics in [false, true] {
            if statistics {
                of.0.execute(if engine == Engine::Mariadb { "ANALYZE TABLE customers" } else { "ANALYZE" }).await?;
            }
            let times = if rows >= 10_000_000 { 1 } else { options.pairs };
            let mut rates = Vec::new();
            for _ in 0..times {
                rates.push(rows as f64 / ours(options, server, &of, &[], figures).await?);
            }
            let with = if statistics { "analyzed" } else { "unanalyzed" };
            all.push(crate::figures::median(&rates));
            figures.median(format!("backfill_rate_{rows}_{with}_{engine}"), rates, "rows/s");
        }
        server.drop(of.0).await?;
    }
    let slowest = all.iter().copied().fold(f64::INFINITY, f64::min);
    let fastest = all.iter().copied().fold(0.0, f64::max);
    figures.median(format!("backfill_flatness_{engine}"), vec![slowest / fastest], "x");
    Ok(())
}
