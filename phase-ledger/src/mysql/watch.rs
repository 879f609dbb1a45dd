//! Waits for a table's lock that are shorter than a second.
//!
//! A statement that waits for a table's metadata lock stalls everybody who comes after it, and both servers bound that
//! wait in whole seconds only (MariaDB: or not at all). So a second connection looks at the waiting one, and ends its
//! statement when the time is over.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe,
    mysql::{MySqlConnectOptions, MySqlConnection},
};
use tokio::time::{sleep, timeout};

use crate::mysql::{connect, values};

/// The shortest wait that can be kept: a look takes about a millisecond.
const SHORTEST: Duration = Duration::from_millis(20);
const EVERY: Duration = Duration::from_millis(20);
/// A statement that has not begun to wait by then works. It needs the lock once more at its end, if it is not instant;
/// ending it there would throw the work away, and the wait is bounded by the server's whole second.
const LOOKS: u32 = 25;
const ANSWER: Duration = Duration::from_millis(500);

/// Looks at one connection of the runner, from another.
#[derive(Default)]
pub(super) struct Watch {
    connection: Option<MySqlConnection>,
}

impl Watch {
    /// Connects, so that the look itself is quick. Without a connection nothing is watched, and the server's own bound
    /// is the only one.
    pub(super) async fn ready(&mut self, options: &MySqlConnectOptions) {
        if self.connection.is_none() {
            self.connection = connect::plain(options).await.ok();
        }
    }

    /// Ends the statement of `thread` once it has waited for a table's lock for `bound`, and says so in `ended` before:
    /// the statement's end may be heard of first.
    pub(super) async fn over(&mut self, thread: &str, bound: Duration, ended: &AtomicBool) {
        sleep(bound.max(SHORTEST)).await;
        for _ in 0..LOOKS {
            match self.waits(thread).await {
                Some(true) => {
                    ended.store(true, Ordering::Relaxed);
                    self.run(format!("KILL QUERY {thread}")).await;
                    return;
                }
                Some(false) => sleep(EVERY).await,
                None => return,
            }
        }
    }

    async fn waits(&mut self, thread: &str) -> Option<bool> {
        let sql = format!("SELECT state FROM information_schema.processlist WHERE id = {thread}");
        let state = self.run(sql).await?;
        Some(state.is_some_and(|state| state.ends_with("metadata lock")))
    }

    /// The one text of an answer; `None` when there is no answer, and the connection is given up.
    async fn run(&mut self, sql: String) -> Option<Option<String>> {
        let mut connection = self.connection.take()?;
        let row = timeout(ANSWER, sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(&mut connection)).await;
        let row = row.ok()?.ok()?;
        self.connection = Some(connection);
        Some(row.and_then(|row| values::text(&row, 0).ok().flatten()))
    }
}
