//! What applications feel that write while a table is filled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::{
    Options,
    database::{Database, Engine, Server},
    figures::{Figures, p99},
    original::Original,
    runner::follow,
};

/// Transactions a second, over all writers.
const RATE: u64 = 200;
const WRITERS: u64 = 2;

/// Writers of the old shape on random rows, at a fixed rate: one that had to wait writes its next at once.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Result<Vec<f64>>>>,
}

impl Writers {
    pub(crate) async fn start(database: &Database, rows: u64) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for seed in 0..WRITERS {
            let mut connection = database.connect().await?;
            let sql = database.engine().rename_one();
            let stop = Arc::clone(&stop);
            tasks.push(tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut times = Vec::new();
                let pause = Duration::from_micros(1_000_000 * WRITERS / RATE);
                let mut next = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep_until(next.into()).await;
                    let began = Instant::now();
                    connection.with(sql, i64::try_from(random.u64(1..=rows))?).await?;
                    times.push(began.elapsed().as_secs_f64() * 1_000.0);
                    next = (next + pause).max(Instant::now() - pause);
                }
                connection.close().await?;
                Ok(times)
            }));
        }
        Ok(Self { stop, tasks })
    }

    /// Milliseconds of every transaction.
    pub(crate) async fn end(self) -> Result<Vec<f64>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await??);
        }
        Ok(all)
    }
}

pub(crate) async fn latency(options: &Options, server: &Server, engine: Engine, figures: &mut Figures) -> Result<()> {
    let rows = options.rows_of(engine);
    let of = Original::synced(options, server, engine, rows, figures).await?;
    let (mut ratios, mut idles, mut busies) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.pairs {
        let copy = of.another(options, server, figures).await?;
        // As long as the backfill about takes.
        let writers = Writers::start(&copy, rows).await?;
        tokio::time::sleep(Duration::from_secs(4)).await;
        let idle = p99(&writers.end().await?);
        let writers = Writers::start(&copy, rows).await?;
        let run = follow(of.project().start(options, &copy, &[])?).await;
        let busy = p99(&writers.end().await?);
        figures.at_least("runner_peak_mb", run?.peak_mb, "MB");
        server.drop(copy).await?;
        ratios.push(busy / idle);
        idles.push(idle);
        busies.push(busy);
    }
    figures.median(format!("writer_p99_idle_{engine}"), idles, "ms");
    figures.median(format!("writer_p99_backfill_{engine}"), busies, "ms");
    figures.median(format!("writer_p99_vs_idle_{engine}"), ratios, "x");
    of.end(server).await
}
