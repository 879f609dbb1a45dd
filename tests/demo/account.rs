//! Accounts for every write: what the journals say was acknowledged against what was read, then and at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::Context;
use sqlx::{Connection, QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::app::{Entry, Shape, read_row};

/// What became of the writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Writes that the database acknowledged.
    pub(crate) writes: u64,
    /// Statements that the database refused.
    pub(crate) failed: u64,
    /// Acknowledged writes that a reader did not find, then or at the end.
    pub(crate) lost: u64,
}

/// Reads all journals below `directory` and the final rows of `database` in the given shape.
///
/// # Errors
/// When a journal or the database cannot be read.
pub(crate) async fn account(
    directory: &Path,
    database: &mut SqliteConnection,
    shape: Shape,
) -> anyhow::Result<Account> {
    let mut result = Account::default();
    let mut wrote: BTreeMap<(i64, i64), BTreeSet<String>> = BTreeMap::new();
    let mut read: BTreeMap<(i64, i64), BTreeSet<Option<String>>> = BTreeMap::new();
    for entry in journals(directory)? {
        match entry {
            Entry::Wrote { id, revision, name } => {
                result.writes += 1;
                wrote.entry((id, revision)).or_default().insert(name);
            }
            Entry::Read { id, revision, name } => {
                read.entry((id, revision)).or_default().insert(name);
            }
            Entry::Failed { .. } => result.failed += 1,
        }
    }
    let mut lost: BTreeSet<(i64, i64)> = BTreeSet::new();
    for (row, names) in &wrote {
        // Two acknowledged writes with one revision: one of them overwrote the other unseen.
        if names.len() > 1 {
            lost.insert(*row);
        }
        // Somebody read this revision, and saw another name, or none.
        let other = |seen: &Option<String>| seen.as_ref().is_none_or(|seen| !names.contains(seen));
        if read.get(row).is_some_and(|seen| seen.iter().any(other)) {
            lost.insert(*row);
        }
    }
    let mut newest: BTreeMap<i64, i64> = BTreeMap::new();
    for (id, revision) in wrote.keys() {
        newest.insert(*id, *revision);
    }
    for (id, revision) in newest {
        let names = wrote.get(&(id, revision)).cloned().unwrap_or_default();
        let found = read_row(database, shape, id).await;
        let kept = matches!(&found, Ok(Entry::Read { revision: at, name: Some(name), .. })
            if *at == revision && names.contains(name));
        if !kept {
            lost.insert((id, revision));
        }
    }
    result.lost = u64::try_from(lost.len())?;
    Ok(result)
}

/// What the refused statements were told, most frequent first.
///
/// # Errors
/// When a journal cannot be read.
pub(crate) fn refusals(directory: &Path) -> anyhow::Result<Vec<(String, u64)>> {
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for entry in journals(directory)? {
        if let Entry::Failed { why } = entry {
            *counted.entry(why).or_default() += 1;
        }
    }
    let mut sorted: Vec<(String, u64)> = counted.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(sorted)
}

fn journals(directory: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let listing = std::fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    let mut paths: Vec<PathBuf> = listing.map(|file| Ok(file?.path())).collect::<anyhow::Result<_>>()?;
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "journal")) {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        for line in text.lines() {
            entries.push(serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display()))?);
        }
    }
    Ok(entries)
}

/// Makes the table as v1 knows it, and fills it. Revision 0 is what was there before anybody wrote.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn seed(database: &mut SqliteConnection, rows: u32, random: &mut fastrand::Rng) -> anyhow::Result<()> {
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *database).await?;
    let table = "CREATE TABLE customers (id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, revision INTEGER NOT NULL)";
    sqlx::raw_sql(table).execute(&mut *database).await?;
    let mut transaction = database.begin().await?;
    let names: Vec<String> =
        (0..rows).map(|_| crate::app::name(random)).map(|(first, last)| format!("{first} {last}")).collect();
    for some in names.chunks(5_000) {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO customers (full_name, revision) ");
        insert.push_values(some, |mut row, name| {
            row.push_bind(name).push("0");
        });
        insert.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// A fingerprint of the rows nobody ever wrote to: id and whole name of those at revision 0.
///
/// # Errors
/// When the version's columns are not there.
pub(crate) async fn untouched(
    database: &mut SqliteConnection,
    shape: Shape,
) -> sqlx::Result<BTreeMap<i64, Option<String>>> {
    let sql = match shape {
        Shape::V1 => "SELECT id, full_name FROM customers WHERE revision = 0",
        Shape::V2 => "SELECT id, first_name || ' ' || last_name FROM customers WHERE revision = 0",
    };
    let rows = sqlx::query(sql).fetch_all(&mut *database).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row in the end: id 1 at `revision` with `name`; and what the journal says.
    async fn told(journal: &[Entry], revision: i64, name: &str) -> Account {
        let directory = tempfile::tempdir().unwrap();
        let lines: Vec<String> = journal.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
        std::fs::write(directory.path().join("a.journal"), lines.join("\n")).unwrap();
        let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        seed(&mut database, 1, &mut fastrand::Rng::with_seed(1)).await.unwrap();
        sqlx::query("UPDATE customers SET full_name = ?1, revision = ?2")
            .bind(name)
            .bind(revision)
            .execute(&mut database)
            .await
            .unwrap();
        account(directory.path(), &mut database, Shape::V1).await.unwrap()
    }

    fn wrote(revision: i64, name: &str) -> Entry {
        Entry::Wrote { id: 1, revision, name: name.into() }
    }

    fn read(revision: i64, name: Option<&str>) -> Entry {
        Entry::Read { id: 1, revision, name: name.map(str::to_owned) }
    }

    #[tokio::test]
    async fn every_write_that_is_read_back_and_stands_at_the_end_is_accounted_for() {
        let journal =
            [wrote(1, "Anna Kim"), read(1, Some("Anna Kim")), wrote(2, "Ben Weber"), read(2, Some("Ben Weber"))];
        assert_eq!(told(&journal, 2, "Ben Weber").await, Account { writes: 2, failed: 0, lost: 0 });
    }

    #[tokio::test]
    async fn each_way_to_lose_a_write_is_noticed() {
        let rows: [(&str, Vec<Entry>, i64, &str); 5] = [
            ("a reader saw another name", vec![wrote(1, "A B"), read(1, Some("C D"))], 1, "A B"),
            ("a reader saw no name", vec![wrote(1, "A B"), read(1, None)], 1, "A B"),
            ("the row ends with another name", vec![wrote(1, "A B")], 1, "C D"),
            ("the row ends at an older revision", vec![wrote(2, "A B")], 1, "A B"),
            ("two writes got one revision", vec![wrote(1, "A B"), wrote(1, "C D")], 1, "A B"),
        ];
        for (case, journal, revision, name) in rows {
            assert_eq!(told(&journal, revision, name).await.lost, 1, "{case}");
        }
    }

    #[tokio::test]
    async fn refused_statements_are_counted_as_failed() {
        let journal = [Entry::Failed { why: "no such column".into() }];
        assert_eq!(told(&journal, 0, "A B").await, Account { writes: 0, failed: 1, lost: 0 });
    }
}
