//! What only a file can do wrong.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use phase_ledger::{ReadError, Reading, Transaction, WriteError};
use tokio::time::{Instant, sleep};

use super::*;

#[tokio::test]
async fn a_missing_file_is_out_of_reach_and_stays_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing.db");
    let url: DatabaseUrl = format!("sqlite://{}", path.display()).parse().unwrap();
    let reader = open_reader(&url).unwrap();
    assert!(matches!(reader.read().await, Err(ReadError::Unreachable { .. })));
    assert!(matches!(open_session(&url).await, Err(ReadError::Unreachable { .. })));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was made");
    // It is there a little later: the same reader finds it.
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path).create_if_missing(true)).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("text.db");
    fs::write(&path, "this is no database".repeat(100)).unwrap();
    let url: DatabaseUrl = format!("sqlite://{}", path.display()).parse().unwrap();
    let error = open_reader(&url).unwrap().read().await.unwrap_err();
    assert!(matches!(&error, ReadError::Damaged { why, .. } if why.contains("not a database")), "{error:?}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_reader_writes_nothing_and_follows_its_file() {
    let bench = SqliteBench::new().await;
    let mut session = bench.session().await.unwrap();
    session.take_over("a test").await.unwrap();
    let reader = bench.reader();
    assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)));
    drop(session);
    // A restore: another file takes the name, while the reader has the old one open.
    let restored = SqliteBench::new().await;
    fs::rename(restored.path(), bench.path()).unwrap();
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", bench.path().display())).ok();
    }
    assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);
    let mut permissions = fs::metadata(bench.path()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(bench.path(), permissions).unwrap();
    assert_eq!(bench.reader().read().await.unwrap(), Reading::NotBegun);
}

#[tokio::test]
async fn the_lock_is_one_whatever_name_the_file_was_reached_by() {
    let bench = SqliteBench::new().await;
    let link = bench.directory.path().join("link.db");
    std::os::unix::fs::symlink(bench.path(), &link).unwrap();
    let url: DatabaseUrl = format!("sqlite://{}", link.display()).parse().unwrap();
    let (mut first, mut second) = (bench.session().await.unwrap(), open_session(&url).await.unwrap());
    assert!(first.try_lock().await.unwrap());
    assert!(!second.try_lock().await.unwrap());
}

#[tokio::test]
async fn a_removed_lock_file_is_noticed_by_the_next_heartbeat() {
    let bench = SqliteBench::new().await;
    let mut session = bench.session().await.unwrap();
    assert!(session.try_lock().await.unwrap());
    session.heartbeat().await.unwrap();
    fs::remove_file(format!("{}.phasegate-lock", bench.path().display())).unwrap();
    assert!(bench.session().await.unwrap().try_lock().await.unwrap(), "which is why it has to be noticed");
    assert!(matches!(session.heartbeat().await, Err(WriteError::Transient { .. })));
    assert!(session.try_lock().await.is_err());
}

#[tokio::test]
async fn the_application_goes_on_while_the_runner_holds_its_lock() {
    let bench = SqliteBench::new().await;
    let mut session = bench.session().await.unwrap();
    assert!(session.try_lock().await.unwrap());
    session.take_over("a test").await.unwrap();
    bench.execute("INSERT INTO items (id) VALUES (1)").await;
    assert_eq!(bench.items().await.unwrap(), 1);
    assert_eq!(bench.texts("PRAGMA journal_mode").await, ["wal"]);
    assert_eq!(session.query(&Statement::plain("PRAGMA foreign_keys")).await.unwrap(), [[Cell::Int(0)]]);
}

#[tokio::test]
async fn values_come_back_by_what_they_are() {
    let bench = SqliteBench::new().await;
    let mut session = bench.session().await.unwrap();
    let binds = vec![
        Cell::Int(i64::MIN),
        Cell::Real(2.0),
        Cell::Text("2".to_owned()),
        Cell::Bytes(b"2".to_vec()),
        Cell::Null,
        Cell::Bytes(Vec::new()),
    ];
    let statement = Statement { sql: "SELECT ?1, ?2, ?3, ?4, ?5, ?6".to_owned(), binds: binds.clone() };
    assert_eq!(session.query(&statement).await.unwrap(), [binds]);
    let error = session.query(&Statement::plain("SELECT nothing FROM nowhere")).await.unwrap_err();
    assert!(matches!(&error, ReadError::Query { statement, .. } if statement == "SELECT nothing FROM nowhere"));
}

#[tokio::test]
async fn a_new_ledger_has_the_tables_of_its_format() {
    let sql = "SELECT name || sql FROM sqlite_master WHERE name LIKE 'phasegate%' ORDER BY name";
    let (new, golden) = (SqliteBench::new().await, SqliteBench::new().await);
    new.session().await.unwrap().take_over("a test").await.unwrap();
    golden.tamper(Tamper::Golden(phase_ledger::FORMAT)).await.unwrap();
    assert_eq!(new.texts(sql).await, golden.texts(sql).await, "another table needs another format");
}

/// The other process: takes the lock, begins to write, says so and waits for its end.
#[tokio::test]
#[ignore = "run by the_lock_ends_with_its_process, in a process of its own"]
async fn the_process_that_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "how the other process is told which file")]
    let Ok(url) = std::env::var("LEDGER_OF_THE_PROCESS_THAT_IS_KILLED") else { return };
    let mut session = open_session(&url.parse().unwrap()).await.unwrap();
    assert!(session.try_lock().await.unwrap());
    let generation = session.take_over("the killed one").await.unwrap();
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    let work = vec![Statement::plain("INSERT INTO items (id) VALUES (7)"), Statement::plain(endless)];
    session.commit(generation, &Transaction { work, ..Transaction::default() }).await.unwrap();
}

#[tokio::test]
async fn the_lock_ends_with_its_process() {
    let bench = SqliteBench::new().await;
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "file::the_process_that_is_killed"])
        .env("LEDGER_OF_THE_PROCESS_THAT_IS_KILLED", bench.url().to_string().replace(' ', "%20"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut session = bench.session().await.unwrap();
    let began = Instant::now();
    // Until it is in the middle of its transaction: the lock is taken, and a write has to wait.
    loop {
        assert!(began.elapsed() < Duration::from_secs(30), "the other process does not come");
        let taken = matches!(bench.reader().read().await, Ok(Reading::Ledger(state)) if state.generation.0 == 1);
        if taken && busy(&bench).await {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(!session.try_lock().await.unwrap());
    other.kill().unwrap();
    other.wait().unwrap();
    let began = Instant::now();
    assert!(session.try_lock().await.unwrap(), "at once");
    let generation = session.take_over("the next").await.unwrap();
    println!("the next runner was at work {:?} after the end of the one before", began.elapsed());
    assert_eq!(bench.items().await.unwrap(), 0, "the half transaction is gone");
    let late = session.commit(phase_ledger::Generation(1), &Transaction::default()).await;
    assert!(matches!(late, Err(WriteError::Fenced { .. })));
    session.commit(generation, &Transaction::default()).await.unwrap();
}

async fn busy(bench: &SqliteBench) -> bool {
    let options = SqliteConnectOptions::new().filename(bench.path()).busy_timeout(Duration::ZERO);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let begun = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut connection).await;
    begun.is_err()
}

/// Prints what a gate pays for a question: `cargo test -p phase-ledger --test sqlite -- --nocapture costs`.
#[tokio::test]
async fn a_gates_read_costs_a_millisecond_or_so() {
    let bench = SqliteBench::new().await;
    bench.tamper(Tamper::Golden(phase_ledger::FORMAT)).await.unwrap();
    let reader = bench.reader();
    let began = Instant::now();
    reader.read().await.unwrap();
    let first = began.elapsed();
    let mut times = Vec::new();
    for _ in 0..1_000 {
        let began = Instant::now();
        reader.read().await.unwrap();
        times.push(began.elapsed());
    }
    times.sort();
    println!("a read on SQLite: first {first:?}, median {:?}, 99th of 100 {:?}", times[500], times[990]);
    assert!(times[500] < Duration::from_millis(50), "{:?}", times[500]);
}
