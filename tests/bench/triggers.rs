//! What our triggers cost an application that writes, beside no trigger.

use std::time::Instant;

use anyhow::Result;

use crate::{
    Options,
    database::{Connected, Database, Engine, Server},
    figures::Figures,
    original::made,
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

/// A table at `migrated`, so that both shapes are filled, as during a release.
pub(crate) async fn migrated(
    options: &Options,
    server: &Server,
    engine: Engine,
    rows: u64,
    figures: &mut Figures,
) -> Result<Database> {
    let database = made(options, server, engine, rows, &Project::new(engine, "target: migrated")?, figures).await?;
    if engine == Engine::Postgres {
        database.execute("VACUUM FULL customers").await?;
        database.execute("VACUUM ANALYZE customers").await?;
    }
    Ok(database)
}

/// The same table with triggers and without. MariaDB writes rows in place and keeps no dead ones, so that the same two
/// tables serve for every pair; the others begin each pair with copies.
struct Sides {
    with: Database,
    without: Database,
}

impl Sides {
    async fn another(&self, server: &Server) -> Result<Self> {
        if self.with.engine() == Engine::Mariadb {
            return Ok(Self { with: self.with.clone(), without: self.without.clone() });
        }
        Ok(Self { with: server.copy(&self.with).await?, without: server.copy(&self.without).await? })
    }

    async fn end(self, server: &Server) -> Result<()> {
        if self.with.engine() == Engine::Mariadb {
            return Ok(());
        }
        server.drop(self.with).await?;
        server.drop(self.without).await
    }
}

pub(crate) async fn cost(options: &Options, server: &Server, engine: Engine, figures: &mut Figures) -> Result<()> {
    let rows = options.rows_of(engine) * 3 / 10;
    let with = migrated(options, server, engine, rows, figures).await?;
    let without = migrated(options, server, engine, rows, figures).await?;
    without.without_triggers().await?;
    let of = Sides { with, without };
    let (mut all, mut others) = (Vec::new(), Vec::new());
    let (mut single, mut statement) = (Vec::new(), Vec::new());
    for pair in 0..options.pairs {
        for (sql, ratios) in [(mapped(engine), &mut all), (unmapped(engine), &mut others)] {
            let sides = of.another(server).await?;
            // The second of two has a warmer machine, so that each side is it in turn.
            let (with, without) = if pair % 2 == 0 {
                let with = sides.with.timed(&sql).await?;
                (with, sides.without.timed(&sql).await?)
            } else {
                let without = sides.without.timed(&sql).await?;
                (sides.with.timed(&sql).await?, without)
            };
            ratios.push(with.as_secs_f64() / without.as_secs_f64());
            sides.end(server).await?;
        }
        for (commits, ratios) in [(Commits::OnDisk, &mut single), (Commits::Relaxed, &mut statement)] {
            let sides = of.another(server).await?;
            ratios.push(one_by_one(&sides, rows, commits).await?);
            sides.end(server).await?;
        }
    }
    figures.median(format!("trigger_cost_mapped_{engine}"), all, "x");
    figures.median(format!("trigger_cost_unmapped_{engine}"), others, "x");
    figures.median(format!("trigger_cost_oltp_{engine}"), single, "x");
    figures.median(format!("trigger_cost_oltp_without_disk_{engine}"), statement, "x");
    server.drop(of.with).await?;
    server.drop(of.without).await
}

/// Whether a transaction of one row waits until it is on disk.
#[derive(Clone, Copy)]
enum Commits {
    /// As a client sees it where nobody set anything: a transaction ends when it can no longer be lost.
    OnDisk,
    /// What the statement alone costs: the larger part of the time where many clients share a wait, or give it up.
    Relaxed,
}

impl Commits {
    /// Transactions of a round.
    const fn each(self) -> i64 {
        match self {
            Self::OnDisk => 100,
            Self::Relaxed => 250,
        }
    }
}

/// One-row transactions by key, by turns on one side and on the other.
const ROUNDS: i64 = 20;

/// The time they take with triggers, by that without.
async fn one_by_one(sides: &Sides, rows: u64, commits: Commits) -> Result<f64> {
    let span = i64::try_from(rows)?;
    let (mut with, mut without) = (sides.with.connect().await?, sides.without.connect().await?);
    let sql = sides.with.engine().rename_one();
    let some = async |connection: &mut Connected, round: i64| -> Result<f64> {
        let began = Instant::now();
        for number in round * commits.each()..(round + 1) * commits.each() {
            connection.with(sql, number * 7_919 % span + 1).await?;
        }
        Ok(began.elapsed().as_secs_f64())
    };
    for connection in [&mut with, &mut without] {
        match commits {
            Commits::OnDisk => {}
            Commits::Relaxed => connection.relaxed().await?,
        }
        some(connection, 0).await?;
    }
    let (mut ours, mut bare) = (0.0, 0.0);
    for round in 1..=ROUNDS {
        if round % 2 == 0 {
            ours += some(&mut with, round).await?;
            bare += some(&mut without, round).await?;
        } else {
            bare += some(&mut without, round).await?;
            ours += some(&mut with, round).await?;
        }
    }
    with.strict().await?;
    with.close().await?;
    without.close().await?;
    Ok(ours / bare)
}
