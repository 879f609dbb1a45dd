//! Why a backfill should rest right now: what Git declares under `spec.backfill.throttle`, looked at every second.
//!
//! A source that cannot be seen holds the backfill like one that says so: an unknown never runs free. None of them uses
//! the connection that holds the runner's lock, which a query that hangs would take along.

mod database;
mod prometheus;
mod window;

use std::time::Duration;

use async_trait::async_trait;
use phase_ledger::Session;
use schema_changes::{Engine, ThrottleSettings};
use tokio::{sync::Mutex, time::timeout};

pub use self::prometheus::Measures;
use self::{database::sources, prometheus::out_of_bounds, window::outside};
use crate::{clock::Clock, halt::chain, run::Connect};

/// How long a source may take to answer.
pub const ANSWER: Duration = Duration::from_secs(5);

/// Says whether backfills should rest.
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Why, for people; `None` when nothing stands against working.
    async fn hold(&self) -> Option<String>;
}

/// Never holds anything: where Git declares no throttle, and in tests.
#[derive(Clone, Copy, Debug)]
pub struct Unthrottled;

#[async_trait]
impl Throttle for Unthrottled {
    async fn hold(&self) -> Option<String> {
        None
    }
}

/// What Git declares.
pub struct DeclaredThrottle<'a> {
    settings: &'a ThrottleSettings,
    engine: Engine,
    connect: &'a dyn Connect,
    measures: &'a dyn Measures,
    clock: Clock,
    /// A connection of its own, made when first needed and again after each failure.
    session: Mutex<Option<Box<dyn Session>>>,
}

impl<'a> DeclaredThrottle<'a> {
    /// These throttles, over a database and what is measured elsewhere.
    pub fn new(
        settings: &'a ThrottleSettings,
        engine: Engine,
        connect: &'a dyn Connect,
        measures: &'a dyn Measures,
        clock: Clock,
    ) -> Self {
        Self { settings, engine, connect, measures, clock, session: Mutex::new(None) }
    }

    async fn database(&self) -> Option<String> {
        let sources = sources(self.settings, self.engine);
        if sources.is_empty() {
            return None;
        }
        let mut slot = self.session.lock().await;
        let mut session = match slot.take() {
            Some(session) => session,
            None => match timeout(ANSWER, self.connect.open()).await {
                Ok(Ok(session)) => session,
                Ok(Err(cause)) => return Some(format!("the load of the database cannot be seen: {}", chain(&cause))),
                Err(_) => return Some("the load of the database cannot be seen: no connection within 5 s".to_owned()),
            },
        };
        for source in sources {
            match timeout(ANSWER, session.query(&source.query)).await {
                Ok(Ok(rows)) => {
                    if let Some(why) = source.judge(&rows) {
                        *slot = Some(session);
                        return Some(why);
                    }
                }
                // The connection may be in the middle of something: it is not used again.
                Ok(Err(cause)) => return Some(format!("{} cannot be seen: {}", source.what, chain(&cause))),
                Err(_) => return Some(format!("{} cannot be seen: no answer within 5 s", source.what)),
            }
        }
        *slot = Some(session);
        None
    }
}

#[async_trait]
impl Throttle for DeclaredThrottle<'_> {
    async fn hold(&self) -> Option<String> {
        if let Some(window) = &self.settings.window
            && let Some(why) = outside(*window, self.clock.now())
        {
            return Some(why);
        }
        let database = self.database();
        let elsewhere = out_of_bounds(self.measures, self.settings.prometheus.as_ref());
        let (database, elsewhere) = tokio::join!(database, elsewhere);
        database.or(elsewhere)
    }
}

#[cfg(test)]
mod tests;
