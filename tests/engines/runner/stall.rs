//! How long writers stand where the old shape is hidden by a rename: MariaDB and MySQL.
//!
//! Whoever waits for a table's metadata lock stands in front of everybody who comes after. So while a reader holds the
//! table, writers must get in again and again between the runner's tries.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tests::mariadb::Flavour;
use tokio::{task::JoinHandle, time::timeout};

use crate::{
    binary::{PATIENCE, Running, run, run_command},
    database::{Bind, Database},
    project::{Project, V2},
    soak::columns_named,
};

/// A version of the new shape that writes one row, over and over.
struct OneRow {
    stop: Arc<AtomicBool>,
    writes: Arc<AtomicU64>,
    /// The longest write so far, in microseconds.
    longest: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl OneRow {
    async fn start(database: &Database) -> Self {
        let mut connection = database.connect().await;
        let (stop, writes, longest) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::default());
        let (ends, count, most): (_, _, Arc<AtomicU64>) =
            (Arc::clone(&stop), Arc::clone(&writes), Arc::clone(&longest));
        let task = tokio::spawn(async move {
            while !ends.load(Ordering::Relaxed) {
                let name = format!("F{}", count.load(Ordering::Relaxed));
                let began = Instant::now();
                let sql = "UPDATE customers SET first_name = $2 WHERE id = $1";
                connection.execute(sql, &[Bind::Int(1), Bind::Text(name)]).await.unwrap();
                most.fetch_max(u64::try_from(began.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            connection.close().await;
        });
        Self { stop, writes, longest, task }
    }

    /// Until it has written so often more.
    async fn writes(&self, more: u64) {
        let want = self.writes.load(Ordering::Relaxed) + more;
        let get_in = async {
            while self.writes.load(Ordering::Relaxed) < want {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, get_in).await.expect("the writer stands behind the runner");
    }

    /// The longest write since the last time somebody asked.
    fn longest(&self) -> Duration {
        Duration::from_micros(self.longest.swap(0, Ordering::Relaxed))
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
    }
}

/// A run that is stopped where nothing but the rename is still to be done, and the writer beside it.
async fn before_the_rename(database: &Database, rows: i64) -> (Running, OneRow) {
    database.customers(rows).await;
    let project = Project::split(database, "target: migrated");
    project.live(&[V2]);
    run(database, &project).await.expect(0, &["is migrated"]);
    project.goal("target: contracted\n  soak: held");
    let writer = OneRow::start(database).await;
    writer.writes(20).await;
    let mut running = Running::start(run_command(database, &project, &["--output", "json"]));
    for _ in 0..2 {
        // The two triggers of the seen name go last.
        while !running.until("step_done").await["what"].as_str().unwrap().starts_with("stop keeping") {}
    }
    running.signal("-STOP");
    (running, writer)
}

/// The longest write while the table is hidden, when nobody holds it and while a reader does.
async fn stands(flavour: Flavour, rows: i64) {
    let engine = flavour.as_str();
    let database = Database::of(flavour).await;
    let (mut running, writer) = before_the_rename(&database, rows).await;
    writer.longest();
    running.signal("-CONT");
    let hidden = running.until("step_done").await;
    assert!(hidden["what"].as_str().unwrap().starts_with("hide full_name"), "{hidden}");
    let quiet = writer.longest();
    writer.stop().await;
    assert_eq!(running.ended().await, Some(0));

    // It may have been quicker than the signal.
    let mut tries = 0;
    let (database, mut running, writer) = loop {
        let database = Database::of(flavour).await;
        let (running, writer) = before_the_rename(&database, rows).await;
        if columns_named(&database, "full_name").await == 1 {
            break (database, running, writer);
        }
        tries += 1;
        assert!(tries < 5, "it never stops before the rename");
        running.kill().await;
        writer.stop().await;
    };
    let reader = database.reads_on("customers").await;
    writer.longest();
    running.signal("-CONT");
    let waits = running.until("lock_wait").await;
    assert!(waits["table"].as_str().is_some_and(|table| table.contains("customers")), "{waits}");
    // INVARIANT: the reader is still there, so that whoever waited for the runner would wait for ever.
    writer.writes(200).await;
    assert_eq!(columns_named(&database, "full_name").await, 1, "the reader holds it");
    let held = writer.longest();
    reader.close().await;
    let hidden = running.until("step_done").await;
    assert!(hidden["what"].as_str().unwrap().starts_with("hide full_name"), "{hidden}");
    writer.writes(20).await;
    writer.stop().await;
    assert_eq!(running.ended().await, Some(0));
    crate::tell(&format!(
        "the longest write at the rename of {rows} rows on {engine}: {quiet:.1?}; while a reader holds the table: {held:.1?}"
    ));
}

async fn no_writer_stands_behind_a_rename_for_as_long_as_a_reader_holds_the_table(flavour: Flavour) {
    stands(flavour, 1_000).await;
}
tests::on_both!(no_writer_stands_behind_a_rename_for_as_long_as_a_reader_holds_the_table);

/// Figures, printed rather than judged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a million rows, twice on each server"]
async fn figures_of_a_rename_of_a_million_rows() {
    stands(Flavour::Mariadb, 1_000_000).await;
    stands(Flavour::Mysql, 1_000_000).await;
}
