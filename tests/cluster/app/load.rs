//! The users: each owns some of the customers, so that it knows exactly what every answer must be.
//!
//! Customer `id` at revision `r` is called `F<id> R<r>`, whoever wrote it. What was acknowledged must be read from then
//! on, by whichever version, and at the end every row of the table is looked at.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    serve::{Answer, Customer, Write},
    tell::ask,
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
    #[arg(long, default_value_t = 15)]
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
    over: AtomicBool,
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.figures.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn told(&self) -> Figures {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
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
    /// What was acknowledged; a customer that is not here is at revision 0.
    known: BTreeMap<i64, i64>,
    inserted: i64,
}

type Known = BTreeMap<i64, i64>;

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
            known: Known::new(),
            inserted: 0,
        };
        users.spawn(user.live(Duration::from_millis(load.rest)));
    }
    let mut known = Known::new();
    for theirs in users.join_all().await {
        known.extend(theirs);
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
                let revision = self.known.get(&id).copied().unwrap_or(0) + 1;
                self.write("PUT", id, revision).await;
            }
            _ => self.read().await,
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
        match asked(self.to, &self.shared, method, &format!("/customers/{id}"), Some(&write)).await {
            Ok(_) => {
                self.known.insert(id, revision);
                self.shared.note(|figures| figures.writes += 1);
            }
            Err(why) => self.shared.note(|figures| figures.failed(format!("{method} {id}: {why:#}"))),
        }
    }

    async fn read(&mut self) {
        let id = self.some_customer();
        match asked(self.to, &self.shared, "GET", &format!("/customers/{id}"), None).await {
            Ok(answer) => {
                let revision = self.known.get(&id).copied().unwrap_or(0);
                if let Some(why) = wrong(answer.customers.first(), id, revision) {
                    self.shared.note(|figures| figures.lost(format!("{why}, said {}", answer.version)));
                }
            }
            Err(why) => self.shared.note(|figures| figures.failed(format!("GET {id}: {why:#}"))),
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

/// What is wrong with a customer that was acknowledged at that revision.
fn wrong(found: Option<&Customer>, id: i64, revision: i64) -> Option<String> {
    let name = format!("F{id} R{revision}");
    match found {
        Some(found) if found.id == id && found.revision == revision && found.name.as_deref() == Some(&name) => None,
        Some(found) => Some(format!("customer {id} must be `{name}` and is {found:?}")),
        None => Some(format!("customer {id} must be `{name}` and is not there")),
    }
}

/// Every row of the table against all that was acknowledged.
async fn verify(to: SocketAddr, rows: i64, known: &Known, shared: &Shared) -> anyhow::Result<()> {
    let mut expected: Known = (1..=rows).map(|id| (id, 0)).collect();
    expected.extend(known.iter());
    let mut after = 0;
    loop {
        let path = format!("/customers?after={after}&limit={PAGE}");
        let customers = asked(to, shared, "GET", &path, None).await?.customers;
        let Some(last) = customers.last() else { break };
        after = last.id;
        for found in &customers {
            let revision = expected.remove(&found.id);
            let why = match revision {
                Some(revision) => wrong(Some(found), found.id, revision),
                None => Some(format!("customer {} was never acknowledged", found.id)),
            };
            shared.note(|figures| {
                figures.verified += 1;
                if let Some(why) = why {
                    figures.lost(why);
                }
            });
        }
    }
    for (id, revision) in expected {
        shared.note(|figures| figures.lost(format!("customer {id} at revision {revision} is gone")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_lose_a_row_is_noticed() {
        let customer = |revision, name: Option<&str>| Customer { id: 7, revision, name: name.map(str::to_owned) };
        assert_eq!(wrong(Some(&customer(2, Some("F7 R2"))), 7, 2), None);
        for found in [
            Some(customer(1, Some("F7 R1"))),
            Some(customer(2, Some("F7 R1"))),
            Some(customer(2, None)),
            Some(customer(3, Some("F7 R3"))),
            None,
        ] {
            assert!(wrong(found.as_ref(), 7, 2).is_some(), "{found:?}");
        }
    }
}
