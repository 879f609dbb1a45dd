//! The application: writers of either shape, each with rows of its own, who remember what they wrote last.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::task::JoinHandle;

use crate::database::{Bind, Connected, Database};

/// Which shape a writer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Old,
    New,
}

/// A writer at work.
pub(crate) struct Writer {
    shape: Shape,
    stop: Arc<AtomicBool>,
    task: JoinHandle<Written>,
}

/// What one writer did.
pub(crate) struct Written {
    /// First and last name by id, as written last; `None` when the row was deleted.
    pub(crate) last: BTreeMap<i64, Option<(String, String)>>,
    pub(crate) writes: u64,
    /// Errors that a real application would have seen.
    pub(crate) failed: Vec<String>,
}

impl Writer {
    /// Writes rows `lane`, `lane + 10`, ... of the first `count`, and new ones beyond a million.
    pub(crate) async fn start(database: &Database, shape: Shape, lane: i64, count: i64) -> Self {
        let connection = database.connect().await;
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(work(connection, shape, lane, count, Arc::clone(&stop)));
        Self { shape, stop, task }
    }

    /// Ends it after its current write.
    pub(crate) async fn stop(self) -> Written {
        self.stop_but(|_| false).await
    }

    /// The same of a version of the old shape that came in by force: its writes could only fail while the shape was hidden.
    pub(crate) async fn stop_forced(self) -> Written {
        let hidden = |cause: &str| {
            [
                "Unknown column 'full_name' in",
                "\"full_name\" of relation",
                "no such column: full_name",
                "no column named",
            ]
            .iter()
            .any(|told| cause.contains(told))
                && !cause.contains("NEW")
        };
        self.stop_but(hidden).await
    }

    async fn stop_but(self, may_fail: impl Fn(&str) -> bool) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = self.task.await.unwrap();
        written.failed.retain(|cause| !may_fail(cause));
        assert!(written.failed.is_empty(), "{:?} writer: {:?}", self.shape, written.failed);
        assert!(written.writes > 0, "the {:?} writer never got in", self.shape);
        written
    }
}

async fn work(mut connection: Connected, shape: Shape, lane: i64, count: i64, stop: Arc<AtomicBool>) -> Written {
    let mut written = Written { last: BTreeMap::new(), writes: 0, failed: Vec::new() };
    let mut next_new = 1_000_000 + lane;
    let mut turn = 0_i64;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let (first, last) = (format!("F{lane}x{turn}"), format!("L{lane}y{turn}"));
        let old_row = 1 + (turn * 7_919 % (count / 10).max(1)) * 10 + lane % 10;
        let (id, kind) = match turn % 5 {
            0 => {
                next_new += 10;
                (next_new, 'i')
            }
            1 if next_new > 1_000_010 && turn % 10 == 1 => (next_new, 'd'),
            _ => (old_row, 'u'),
        };
        let done = write(&mut connection, shape, kind, id, &first, &last).await;
        match done {
            Ok(touched) => {
                written.writes += 1;
                if kind == 'd' {
                    written.last.insert(id, None);
                } else if touched == 1 {
                    written.last.insert(id, Some((first, last)));
                }
            }
            Err(cause) => written.failed.push(format!("{kind} {id}: {cause}")),
        }
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    connection.close().await;
    written
}

async fn write(
    connection: &mut Connected,
    shape: Shape,
    kind: char,
    id: i64,
    first: &str,
    last: &str,
) -> Result<u64, sqlx::Error> {
    let text = |text: &str| Bind::Text(text.to_owned());
    let full = || Bind::Text(format!("{first} {last}"));
    match (shape, kind) {
        (_, 'd') => connection.execute("DELETE FROM customers WHERE id = $1", &[Bind::Int(id)]).await,
        (Shape::Old, 'i') => {
            let sql = "INSERT INTO customers (id, full_name, city) VALUES ($1, $2, 'Oslo')";
            connection.execute(sql, &[Bind::Int(id), full()]).await
        }
        (Shape::Old, _) => {
            // As an ORM does: every column, changed or not.
            let sql = "UPDATE customers SET full_name = $2, city = 'Bonn' WHERE id = $1";
            connection.execute(sql, &[Bind::Int(id), full()]).await
        }
        (Shape::New, 'i') => {
            let sql = "INSERT INTO customers (id, first_name, last_name, city) VALUES ($1, $2, $3, 'Oslo')";
            connection.execute(sql, &[Bind::Int(id), text(first), text(last)]).await
        }
        (Shape::New, _) => {
            let sql = "UPDATE customers SET first_name = $2, last_name = $3, city = 'Bonn' WHERE id = $1";
            connection.execute(sql, &[Bind::Int(id), text(first), text(last)]).await
        }
    }
}

/// What a row must look like, by id: what its writer wrote last, else what it was made with.
pub(crate) fn expected(count: i64, all: &[&Written]) -> BTreeMap<i64, (String, String)> {
    let mut rows: BTreeMap<i64, (String, String)> =
        (1..=count).map(|n| (n, (format!("Ann{n}"), format!("Lee{n}")))).collect();
    for written in all {
        for (id, last) in &written.last {
            match last {
                Some(names) => rows.insert(*id, names.clone()),
                None => rows.remove(id),
            };
        }
    }
    rows
}

/// Fails unless every write is accounted for in the shape that is read.
pub(crate) async fn account(database: &Database, shape: Shape, count: i64, all: &[&Written]) {
    let sql = match shape {
        Shape::Old => "SELECT CAST(id AS text), full_name FROM customers ORDER BY id",
        Shape::New => "SELECT CAST(id AS text), first_name || ' ' || last_name FROM customers ORDER BY id",
    };
    let found: BTreeMap<i64, String> =
        database.rows(sql).await.into_iter().map(|row| (row[0].parse().unwrap(), row[1].clone())).collect();
    let want: BTreeMap<i64, String> =
        expected(count, all).into_iter().map(|(id, (first, last))| (id, format!("{first} {last}"))).collect();
    let wrong: Vec<_> = want.iter().filter(|(id, name)| found.get(id) != Some(name)).take(5).collect();
    let shown: Vec<_> = wrong.iter().map(|(id, name)| format!("{id}: {name} is {:?}", found.get(id))).collect();
    assert!(wrong.is_empty(), "{shape:?} shape lost writes: {shown:?}");
    assert_eq!(found.len(), want.len(), "{shape:?} shape has other rows");
}
