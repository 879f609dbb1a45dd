//! The users: each owns some of the customers, so that it knows exactly what every answer must be.
//!
//! Customer `id` at revision `r` is called `F<id> R<r>`, whoever wrote it. What was acknowledged must be read from then
//! on, by whichever version, and at the end every row of the table is looked at. A write without an answer may have
//! happened or not (`known.rs`).

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    known::{Known, Row},
    serve::{Answer, Customer, Write},
    tell::{ask, never_arrived},
};

/// Failures that are told in full.
const TOLD: usize = 20;
const PAGE: i64 = 2_000;

#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// Host and port of the app.
    #[arg(long)]
    to: String,
    /// Customers that were there before, from 1, all at revision 0.
    #[arg(long)]
    rows: i64,
    #[arg(long, default_value_t = 4)]
    users: u8,
    /// Milliseconds that each rests after an answer.
    #[arg(long, default_value_t = 150)]
    rest: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 9090)]
    port: u16,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    requests: u64,
    writes: u64,
    /// Requests without the answer a user must get.
    failed: u64,
    /// Likewise, but the database was declared down at some moment between question and answer.
    excused: u64,
    /// Writes of which their user could not know whether they happened.
    unknown: u64,
    /// Rows that are not what was acknowledged, or not there.
    lost: u64,
    /// Rows looked at in the end.
    verified: u64,
    /// Answers by version.
    served: BTreeMap<String, u64>,
    /// The first failures and losses.
    why: Vec<String>,
}

#[derive(Default)]
struct Shared {
    figures: Mutex<Figures>,
    outage: Mutex<Outage>,
    over: AtomicBool,
}

/// When the database is down because somebody wants it so.
#[derive(Clone, Copy, Debug, Default)]
struct Outage {
    now: bool,
    ended: Option<Instant>,
}

impl Outage {
    /// Whether it covers a moment of what began then and ends now.
    fn touches(self, began: Instant) -> bool {
        self.now || self.ended.is_some_and(|ended| ended >= began)
    }
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn told(&self) -> Figures {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn outage(&self, change: impl FnOnce(&mut Outage)) -> Figures {
        change(&mut self.outage.lock().unwrap_or_else(PoisonError::into_inner));
        self.told()
    }

    fn failed(&self, began: Instant, why: String) {
        let excused = self.outage.lock().unwrap_or_else(PoisonError::into_inner).touches(began);
        self.note(|figures| if excused { figures.excused += 1 } else { figures.failed(why) });
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "when a request began, against when an outage ended, in one process")]
    Instant::now()
}

impl Figures {
    fn failed(&mut self, why: String) {
        self.failed += 1;
        self.told(why);
    }

    fn lost(&mut self, why: String) {
        self.lost += 1;
        self.told(why);
    }

    fn told(&mut self, why: String) {
        if self.why.len() < TOLD {
            self.why.push(why);
        }
    }
}

/// One user and the customers it owns.
struct User {
    to: SocketAddr,
    shared: Arc<Shared>,
    random: fastrand::Rng,
    /// Which of the customers: those whose number leaves this rest.
    rest: i64,
    users: i64,
    rows: i64,
    known: Known,
    inserted: i64,
}

impl Load {
    /// # Errors
    /// When the app's name does not resolve or the port cannot be had.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let to = tokio::net::lookup_host(&self.to).await?.next().context("the app's name has no address")?;
        let shared = Arc::new(Shared::default());
        let (finish, finished) = tokio::sync::watch::channel(None);
        let work = tokio::spawn(work(self.clone(), to, Arc::clone(&shared), finish));
        let router = Router::new()
            .route("/figures", get(|State(at): State<At>| async move { Json(at.shared.told()) }))
            .route("/outage/begins", get(|State(at): State<At>| async move { Json(at.shared.outage(begins)) }))
            .route("/outage/ends", get(|State(at): State<At>| async move { Json(at.shared.outage(ends)) }))
            .route("/account", get(account))
            .with_state(At { shared, finished });
        let listener = tokio::net::TcpListener::bind(("0.0.0.0", self.port)).await?;
        let mut told_to_end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            served = axum::serve(listener, router) => served.context("cannot serve the figures")?,
            _ = told_to_end.recv() => {}
        }
        work.abort();
        Ok(())
    }
}

fn begins(outage: &mut Outage) {
    outage.now = true;
}

fn ends(outage: &mut Outage) {
    *outage = Outage { now: false, ended: Some(now()) };
}

#[derive(Clone)]
struct At {
    shared: Arc<Shared>,
    finished: tokio::sync::watch::Receiver<Option<Figures>>,
}

/// Ends the load, looks at every row, and tells what came of it.
async fn account(State(mut at): State<At>) -> Result<Json<Figures>, (StatusCode, String)> {
    at.shared.over.store(true, Ordering::Relaxed);
    let gone = |_| (StatusCode::INTERNAL_SERVER_ERROR, "the users are gone".to_owned());
    let figures = at.finished.wait_for(Option::is_some).await.map_err(gone)?.clone();
    Ok(Json(figures.unwrap_or_default()))
}

async fn work(
    load: Load,
    to: SocketAddr,
    shared: Arc<Shared>,
    finish: tokio::sync::watch::Sender<Option<Figures>>,
) -> anyhow::Result<()> {
    // The shop opens when it first answers: a Service takes a moment to learn of its pods.
    while ask(to, "GET", "/ready", b"").await.is_err() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut users = JoinSet::new();
    for number in 0..load.users {
        let user = User {
            to,
            shared: Arc::clone(&shared),
            random: fastrand::Rng::with_seed(load.seed.wrapping_mul(1_000).wrapping_add(u64::from(number))),
            rest: i64::from(number),
            users: i64::from(load.users),
            rows: load.rows,
            known: Known::default(),
            inserted: 0,
        };
        users.spawn(user.live(Duration::from_millis(load.rest)));
    }
    let mut known = Known::default();
    for theirs in users.join_all().await {
        known.join(theirs);
    }
    if let Err(error) = verify(to, load.rows, &known, &shared).await {
        shared.note(|figures| figures.failed(format!("the last look: {error:#}")));
    }
    finish.send(Some(shared.told())).context("nobody wants to know")
}

impl User {
    async fn live(mut self, rest: Duration) -> Known {
        while !self.shared.over.load(Ordering::Relaxed) {
            self.act().await;
            tokio::time::sleep(rest).await;
        }
        self.known
    }

    async fn act(&mut self) {
        match self.random.u8(0..10) {
            0 => {
                let id = self.rows + 1 + self.rest + self.inserted * self.users;
                self.inserted += 1;
                self.write("POST", id, 1).await;
            }
            1..=4 => {
                let id = self.some_customer();
                // Whoever waits for an answer does not write once more: the first could arrive after the second.
                match self.known.row(id) {
                    Row::Known(revision) => self.write("PUT", id, revision + 1).await,
                    Row::InDoubt { .. } => self.read(id).await,
                }
            }
            _ => {
                let id = self.some_customer();
                self.read(id).await;
            }
        }
    }

    /// One of its own: mostly of the few that are written all the time.
    fn some_customer(&mut self) -> i64 {
        let own = (self.rows / self.users).max(1);
        let reach = if self.random.bool() { own.min(20) } else { own };
        self.random.i64(0..reach) * self.users + self.rest + 1
    }

    async fn write(&mut self, method: &str, id: i64, revision: i64) {
        let write = Write { first: format!("F{id}"), last: format!("R{revision}"), revision };
        let began = now();
        match asked(self.to, &self.shared, method, &format!("/customers/{id}"), Some(&write)).await {
            Ok(_) => {
                self.known.acknowledged(id, revision);
                self.shared.note(|figures| figures.writes += 1);
            }
            Err(why) => {
                if !never_arrived(&why) {
                    self.known.doubted(id, revision, began, method == "PUT");
                    self.shared.note(|figures| figures.unknown += 1);
                }
                self.shared.failed(began, format!("{method} {id}: {why:#}"));
            }
        }
    }

    async fn read(&mut self, id: i64) {
        let began = now();
        match asked(self.to, &self.shared, "GET", &format!("/customers/{id}"), None).await {
            Ok(answer) => {
                let row = self.known.row(id);
                match wrong(answer.customers.first(), id, row) {
                    Some(why) => self.shared.note(|figures| figures.lost(format!("{why}, said {}", answer.version))),
                    None => {
                        let seen = answer.customers.first().map(|found| found.revision);
                        self.known.seen(id, seen, began);
                    }
                }
            }
            Err(why) => self.shared.failed(began, format!("GET {id}: {why:#}")),
        }
    }
}

async fn asked(
    to: SocketAddr,
    shared: &Shared,
    method: &str,
    path: &str,
    body: Option<&Write>,
) -> anyhow::Result<Answer> {
    shared.note(|figures| figures.requests += 1);
    let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
    let answer: Answer = serde_json::from_slice(&ask(to, method, path, &body).await?)?;
    shared.note(|figures| *figures.served.entry(answer.version.clone()).or_default() += 1);
    Ok(answer)
}

/// What is wrong with a customer of whom that is known.
fn wrong(found: Option<&Customer>, id: i64, row: Row) -> Option<String> {
    let is = |found: &Customer| {
        let name = format!("F{id} R{}", found.revision);
        found.id == id && row.may_be(Some(found.revision)) && found.name.as_deref() == Some(&name)
    };
    match found {
        Some(found) if is(found) => None,
        None if row.may_be(None) => None,
        Some(found) => Some(format!("customer {id} must be {row} and is {found:?}")),
        None => Some(format!("customer {id} must be {row} and is not there")),
    }
}

/// Every row of the table against all that was acknowledged.
async fn verify(to: SocketAddr, rows: i64, known: &Known, shared: &Shared) -> anyhow::Result<()> {
    let mut expected: BTreeMap<i64, Row> = (1..=rows).map(|id| (id, Row::Known(0))).collect();
    expected.extend(known.rows());
    let mut after = 0;
    loop {
        let path = format!("/customers?after={after}&limit={PAGE}");
        let customers = asked(to, shared, "GET", &path, None).await?.customers;
        let Some(last) = customers.last() else { break };
        after = last.id;
        for found in &customers {
            let why = match expected.remove(&found.id) {
                Some(row) => wrong(Some(found), found.id, row),
                None => Some(format!("customer {} was never written", found.id)),
            };
            shared.note(|figures| {
                figures.verified += 1;
                if let Some(why) = why {
                    figures.lost(why);
                }
            });
        }
    }
    for (id, row) in expected {
        if let Some(why) = wrong(None, id, row) {
            shared.note(|figures| figures.lost(why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_lose_a_row_is_noticed() {
        let customer = |revision, name: Option<&str>| Customer { id: 7, revision, name: name.map(str::to_owned) };
        let doubt = Row::InDoubt { before: Some(2), after: 3 };
        let whole = [(2, Row::Known(2)), (2, doubt), (3, doubt)];
        for (revision, row) in whole {
            let found = customer(revision, Some(&format!("F7 R{revision}")));
            assert_eq!(wrong(Some(&found), 7, row), None);
        }
        assert_eq!(wrong(None, 7, Row::InDoubt { before: None, after: 1 }), None, "it may never have come in");
        for (found, row) in [
            (Some(customer(1, Some("F7 R1"))), Row::Known(2)),
            (Some(customer(2, Some("F7 R1"))), Row::Known(2)),
            (Some(customer(2, None)), Row::Known(2)),
            (Some(customer(3, Some("F7 R3"))), Row::Known(2)),
            (None, Row::Known(2)),
            (Some(customer(1, Some("F7 R1"))), doubt),
            (Some(customer(3, Some("F7 R2"))), doubt),
            (None, doubt),
        ] {
            assert!(wrong(found.as_ref(), 7, row).is_some(), "{found:?} {row}");
        }
    }

    #[test]
    fn a_failure_is_excused_if_the_outage_touched_it() {
        let began = now();
        assert!(!Outage::default().touches(began));
        assert!(Outage { now: true, ended: None }.touches(began));
        let mut outage = Outage { now: true, ended: None };
        ends(&mut outage);
        assert!(outage.touches(began), "it ended while the request was under way");
        let later = outage.ended.unwrap() + Duration::from_millis(1);
        assert!(!outage.touches(later), "the request began after it");
    }
}
