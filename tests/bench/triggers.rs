//! What our triggers cost an application that writes, beside no trigger.

use std::time::Instant;

use anyhow::Result;

use crate::{
    Options,
    database::{Database, Engine, Server},
    figures::Figures,
    runner::Project,
};

/// A bulk UPDATE of columns that the change is about.
pub(crate) fn mapped(engine: Engine) -> String {
    format!("UPDATE customers SET full_name = {}", engine.longer("full_name"))
}

/// And of one that it is not about.
fn unmapped(engine: Engine) -> String {
    format!("UPDATE customers SET city = {}", engine.longer("city"))
}

/// Seconds for one-row transactions by key.
async fn one_by_one(database: &Database, rows: u64, count: i64) -> Result<f64> {
    let mut connection = database.connect().await?;
    // What is compared is the work of the statement, and not that of the disk.
    connection.relaxed().await?;
    let sql = database.engine().rename_one();
    let span = i64::try_from(rows)?;
    for number in 1..200 {
        connection.with(sql, number % span + 1).await?;
    }
    let began = Instant::now();
    for number in 0..count {
        connection.with(sql, number * 7_919 % span + 1).await?;
    }
    let time = began.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(time)
}

/// A table at `migrated`, so that both shapes are filled, as during a release.
pub(crate) async fn migrated(
    options: &Options,
    server: &Server,
    engine: Engine,
    rows: u64,
    figures: &mut Figures,
) -> Result<Database> {
    let database = server.empty(engine).await?;
    database.customers(rows).await?;
    Project::new(&database, "target: migrated")?.run(options, &database, &[], figures).await?;
    if engine == Engine::Postgres {
        database.execute("VACUUM FULL customers").await?;
        database.execute("VACUUM ANALYZE customers").await?;
    }
    Ok(database)
}

pub(crate) async fn cost(options: &Options, server: &Server, engine: Engine, figures: &mut Figures) -> Result<()> {
    let rows = options.rows * 3 / 10;
    let of = migrated(options, server, engine, rows, figures).await?;
    let (mut all, mut others, mut single) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.pairs {
        for (sql, ratios) in [(mapped(engine), &mut all), (unmapped(engine), &mut others)] {
            let with = server.copy(&of).await?;
            let time = with.timed(&sql).await?.as_secs_f64();
            server.drop(with).await?;
            let without = server.copy(&of).await?;
            without.without_triggers().await?;
            ratios.push(time / without.timed(&sql).await?.as_secs_f64());
            server.drop(without).await?;
        }
        let with = server.copy(&of).await?;
        let without = server.copy(&of).await?;
        without.without_triggers().await?;
        let time = one_by_one(&with, rows, 5_000).await?;
        single.push(time / one_by_one(&without, rows, 5_000).await?);
        server.drop(with).await?;
        server.drop(without).await?;
    }
    figures.median(format!("trigger_cost_mapped_{engine}"), all, "x");
    figures.median(format!("trigger_cost_unmapped_{engine}"), others, "x");
    figures.median(format!("trigger_cost_oltp_{engine}"), single, "x");
    server.drop(of).await
}
