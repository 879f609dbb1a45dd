//! Our backfill beside one single UPDATE of the same rows, with the same triggers on the table and without.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail};
use schema_changes::{Catalog, ColumnFacts, Plan, Step, TableFacts};
use schema_phases::{Move, SchemaPhase};

use crate::{
    Options,
    database::{Engine, Server},
    figures::{Figures, median},
    original::{Original, made},
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

/// Ours from the first event of the move to the end of its backfill, intents and last count included.
pub(crate) async fn beside_one_update(
    options: &Options,
    server: &Server,
    engine: Engine,
    figures: &mut Figures,
) -> Result<()> {
    let count = options.rows_of(engine);
    let rows = count as f64;
    let of = Original::synced(options, server, engine, count, figures).await?;
    let update = whole(of.project(), engine)?;
    let ways: &[(&str, &[&str])] = match engine {
        Engine::Postgres | Engine::Mariadb => &[("1", &["--connections", "1"]), ("2", &["--connections", "2"])],
        // At full speed, as the UPDATE is; and with the rests that it takes where nobody says otherwise.
        Engine::Sqlite => &[("1", &["--nice-ratio", "0", "--batch", "50ms"]), ("gentle", &[])],
    };
    let mut ratios: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let (mut single, mut bare, mut rates) = (Vec::new(), Vec::new(), BTreeMap::<&str, Vec<f64>>::new());
    for _ in 0..options.pairs {
        let copy = of.another(options, server, figures).await?;
        let one = copy.timed(&update).await?.as_secs_f64();
        server.drop(copy).await?;
        single.push(rows / one);
        for (way, arguments) in ways {
            let run = of.fill(options, server, arguments, figures).await?;
            ratios.entry(*way).or_default().push(one / run.filled()?);
            rates.entry(*way).or_default().push(rows / run.filled()?);
        }
        let copy = of.another(options, server, figures).await?;
        copy.without_triggers().await?;
        bare.push(rows / copy.timed(&update).await?.as_secs_f64());
        server.drop(copy).await?;
    }
    figures.median(format!("single_update_{engine}"), single, "rows/s");
    figures.median(format!("single_update_without_triggers_{engine}"), bare, "rows/s");
    for (way, ratios) in ratios {
        figures.median(format!("backfill_vs_single_update_{way}_{engine}"), ratios, "x");
        figures.median(format!("backfill_{way}_{engine}"), rates.remove(way).unwrap_or_default(), "rows/s");
    }
    of.end(server).await
}

/// Tables of this size are filled once with statistics and once without, one after the other: they take minutes, and disk.
const ONCE: u64 = 2_000_000;

/// The tables' sizes: 10,000 rows, ten times more, and so on up to the largest.
fn sizes(largest: u64) -> Vec<u64> {
    let tens = std::iter::successors(Some(10_000_u64), |size| size.checked_mul(10));
    tens.take_while(|size| *size < largest).chain([largest]).collect()
}

/// The slowest rate by the fastest, from small to large tables, with and without statistics. The rate is that of the
/// batches, as the run tells it: what a move costs whatever the table is not part of it.
pub(crate) async fn flatness(options: &Options, server: &Server, engine: Engine, figures: &mut Figures) -> Result<()> {
    let mut all = Vec::new();
    for rows in sizes(options.largest) {
        for (analyzed, with) in [(false, "unanalyzed"), (true, "analyzed")] {
            let rates = rates(options, server, engine, rows, analyzed, figures).await?;
            all.push(median(&rates));
            figures.median(format!("backfill_rate_{rows}_{with}_{engine}"), rates, "rows/s");
        }
    }
    let slowest = all.iter().copied().fold(f64::INFINITY, f64::min);
    let fastest = all.iter().copied().fold(0.0, f64::max);
    figures.median(format!("backfill_flatness_{engine}"), vec![slowest / fastest], "x");
    Ok(())
}

async fn rates(
    options: &Options,
    server: &Server,
    engine: Engine,
    rows: u64,
    analyzed: bool,
    figures: &mut Figures,
) -> Result<Vec<f64>> {
    if rows >= ONCE {
        let project = Project::new(engine, "target: synced")?;
        let database = made(options, server, engine, rows, &project, figures).await?;
        if analyzed {
            database.analyze().await?;
        }
        project.target("target: migrated")?;
        let run = project.run(options, &database, &[], figures).await?;
        server.drop(database).await?;
        let with = if analyzed { "analyzed" } else { "unanalyzed" };
        figures.median(format!("backfill_seconds_{rows}_{with}_{engine}"), vec![run.filled()?], "s");
        figures.at_least(&format!("runner_peak_mb_{rows}_{engine}"), run.peak_mb, "MB");
        return Ok(vec![run.rate()?]);
    }
    let of = Original::synced(options, server, engine, rows, figures).await?;
    if analyzed {
        of.analyze().await?;
    }
    let mut rates = Vec::new();
    for _ in 0..options.pairs {
        let database = of.another(options, server, figures).await?;
        if analyzed && engine == Engine::Mariadb {
            database.analyze().await?;
        }
        rates.push(of.project().run(options, &database, &[], figures).await?.rate()?);
        server.drop(database).await?;
    }
    of.end(server).await?;
    Ok(rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_by_ten_and_end_with_the_largest() {
        assert_eq!(sizes(100_000), [10_000, 100_000]);
        assert_eq!(sizes(2_000_000), [10_000, 100_000, 1_000_000, 2_000_000]);
        assert_eq!(sizes(10_000_000), [10_000, 100_000, 1_000_000, 10_000_000]);
        assert_eq!(sizes(500), [500]);
    }
}
