//! How large a backfill is, where it ends, and how its keys are cut into ranges. Statistics are never needed.

use phase_ledger::{BackfillRange, Cell, Session};
use schema_changes::Engine;

use super::{crew::count, keyset::Keyset};
use crate::halt::Halt;

/// Ranges for each connection: whoever is done early takes the next one, so that all end at about the same time.
const RANGES: u64 = 16;
/// A range smaller than this is not worth its own.
const SMALLEST: u64 = 20_000;

/// How many connections there can be: SQLite has one writer.
pub(super) fn hands(engine: Engine, wanted: u32) -> usize {
    match engine {
        Engine::Sqlite => 1,
        Engine::Postgres | Engine::Mysql | Engine::Mariadb => usize::try_from(wanted.max(1)).unwrap_or(1),
    }
}

/// About how many rows there are. For people only; nothing ends there.
pub(super) async fn rows(session: &mut dyn Session, keyset: &Keyset) -> Result<u64, Halt> {
    let Some(pages) = keyset.pages() else { return count(session, keyset.all()).await };
    let pages = count(session, pages).await?;
    count(session, keyset.sample_count(pages)).await
}

/// The greatest key there is.
pub(super) async fn last(session: &mut dyn Session, keyset: &Keyset) -> Result<Option<Vec<Cell>>, Halt> {
    Ok(session.query(&keyset.last()).await?.into_iter().next())
}

/// The ranges: one for one connection, several for more. None when there is no row.
pub(super) async fn cut(
    session: &mut dyn Session,
    keyset: &Keyset,
    rows: u64,
    connections: u32,
) -> Result<Vec<BackfillRange>, Halt> {
    let Some(end) = last(session, keyset).await? else { return Ok(Vec::new()) };
    let connections = hands(keyset.engine(), connections) as u64;
    let wanted = (connections * RANGES).min(rows / SMALLEST);
    let mut ends = Vec::new();
    if connections > 1 && wanted > 1 {
        let mut cursor = Vec::new();
        while let Some(key) = session.query(&keyset.boundary(&cursor, &end, rows / wanted, None)).await?.pop() {
            if key == end {
                break;
            }
            ends.push(key.clone());
            cursor = key;
        }
    }
    ends.push(end);
    let mut cursor = Vec::new();
    let range = |(part, end): (u32, Vec<Cell>)| {
        let cursor = std::mem::replace(&mut cursor, end.clone());
        BackfillRange { part, cursor, end, rows_done: 0 }
    };
    Ok((0_u32..).zip(ends).map(range).collect())
}
