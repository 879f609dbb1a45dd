//! The longest that a writer stands still while a change's columns and triggers come and go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    Options,
    database::{Connected, Database, Engine, Server},
    figures::Figures,
    runner::Project,
};

/// The moves that lock a table.
const MOVES: [&str; 3] = ["target: synced", "revertTo: pending", "target: synced"];

/// Writes one row after another, a millisecond apart, and keeps the longest time.
async fn probe(mut connection: Connected, sql: &'static str, stop: Arc<AtomicBool>) -> Result<Duration> {
    let mut worst = Duration::ZERO;
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        connection.with(sql, number % 1_000 + 1).await?;
        worst = worst.max(began.elapsed());
        number += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    connection.strict().await?;
    connection.close().await?;
    Ok(worst)
}

async fn prober(database: &Database) -> Result<(Arc<AtomicBool>, tokio::task::JoinHandle<Result<Duration>>)> {
    let sql = match database.engine() {
        Engine::Postgres => "UPDATE customers SET city = 'Oslo' WHERE id = $1",
        Engine::Mariadb => "UPDATE customers SET city = 'Oslo' WHERE id = ?",
        Engine::Sqlite => "UPDATE customers SET city = 'Oslo' WHERE id = ?1",
    };
    let mut connection = database.connect().await?;
    // The lock is measured, and not the disk.
    connection.relaxed().await?;
    connection.with(sql, 1).await?;
    let stop = Arc::new(AtomicBool::new(false));
    Ok((Arc::clone(&stop), tokio::spawn(probe(connection, sql, stop))))
}

pub(crate) async fn stalls(options: &Options, server: &Server, engine: Engine, figures: &mut Figures) -> Result<()> {
    let (mut longest, mut quiet) = (Vec::new(), Vec::new());
    for _ in 0..options.pairs {
        let database = server.empty(engine).await?;
        database.customers(options.rows / 10).await?;
        let (stop, task) = prober(&database).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.store(true, Ordering::Relaxed);
        quiet.push(task.await??.as_secs_f64() * 1_000.0);
        let project = Project::new(engine, "target: synced")?;
        let mut most = Duration::ZERO;
        for target in MOVES {
            project.target(target)?;
            let (stop, task) = prober(&database).await?;
            let run = project.run(options, &database, &[], figures).await;
            stop.store(true, Ordering::Relaxed);
            most = most.max(task.await??);
            run?;
        }
        longest.push(most.as_secs_f64() * 1_000.0);
        server.drop(database).await?;
    }
    figures.median(format!("blocking_lock_quiet_ms_{engine}"), quiet, "ms");
    figures.median(format!("blocking_lock_max_ms_{engine}"), longest, "ms");
    Ok(())
}
