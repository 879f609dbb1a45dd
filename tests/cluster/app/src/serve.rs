//! One version of the app: reads and writes in the tables and columns it knows.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::get,
};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use crate::{
    Shape,
    database::Database,
    metrics::{Answers, count},
};

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Which tables and columns it knows.
    #[arg(long, env = "SHAPE")]
    shape: Shape,
    /// Where the customers are.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database: String,
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Seconds it goes on serving after it was told to end, as a Service goes on sending for a moment; or until somebody
    /// asks for `/leave`.
    #[arg(long, env = "LINGER", default_value_t = 8)]
    linger: u64,
    /// Of a hundred reads, how many it fails: a mistake that only shows under load.
    #[arg(long, env = "FAULTS", default_value_t = 0)]
    faults: u8,
    /// Of the pod template, for the metrics.
    #[arg(long, env = "POD_TEMPLATE_HASH", default_value = "")]
    hash: String,
}

/// A customer, as users see one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Customer {
    /// Its key.
    pub(crate) id: i64,
    /// How often it was written.
    pub(crate) revision: i64,
    /// First and last name; absent if the version cannot see it.
    pub(crate) name: Option<String>,
}

/// An answer, and who gave it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Answer {
    /// The version.
    pub(crate) version: String,
    /// What it found.
    pub(crate) customers: Vec<Customer>,
}

/// What a user wants written.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Write {
    /// Of the first name.
    pub(crate) first: String,
    /// Of the last.
    pub(crate) last: String,
    /// The revision that this write makes.
    pub(crate) revision: i64,
}

#[derive(Debug, Deserialize)]
struct Page {
    after: i64,
    limit: i64,
}

struct App {
    shape: Shape,
    database: Database,
    faults: u8,
}

impl Serve {
    /// # Errors
    /// When the database or the port cannot be had.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let database = Database::connect(&self.database, self.shape).await?;
        let mut told_to_end = signal(SignalKind::terminate())?;
        let app = Arc::new(App { shape: self.shape, database, faults: self.faults });
        let answers = Answers::new(self.hash);
        let router = Router::new()
            .route("/ready", get(ready))
            .route("/customers", get(page))
            .route("/customers/{id}", get(read).put(update).post(insert))
            .with_state(app)
            .layer(from_fn_with_state(answers.clone(), count))
            .route("/metrics", get(move || async move { answers.text() }));
        let listener = tokio::net::TcpListener::bind(("0.0.0.0", self.port)).await?;
        let leave = Arc::new(Notify::new());
        let let_go = Arc::clone(&leave);
        let router = router.route("/leave", get(move || async move { let_go.notify_one() }));
        let ending = async move {
            told_to_end.recv().await;
            let _ = tokio::time::timeout(Duration::from_secs(self.linger), leave.notified()).await;
        };
        axum::serve(listener, router).with_graceful_shutdown(ending).await.context("cannot serve")
    }
}

type Answered<T> = Result<T, (StatusCode, String)>;

fn refused(shape: Shape) -> impl Fn(sqlx::Error) -> (StatusCode, String) {
    move |error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{}: {error}", shape.version()))
}

async fn ready(State(app): State<Arc<App>>) -> Answered<&'static str> {
    app.database.answers().await.map_err(refused(app.shape))?;
    Ok("ready")
}

async fn read(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Answered<Json<Answer>> {
    if fastrand::u8(0..100) < app.faults {
        return Err((StatusCode::INTERNAL_SERVER_ERROR, format!("{}: a mistake of its own", app.shape.version())));
    }
    answer(&app, app.database.read(id).await)
}

async fn page(State(app): State<Arc<App>>, Query(page): Query<Page>) -> Answered<Json<Answer>> {
    answer(&app, app.database.page(page.after, page.limit).await)
}

async fn update(State(app): State<Arc<App>>, Path(id): Path<i64>, Json(write): Json<Write>) -> Answered<Json<Answer>> {
    written(&app, app.database.update(id, &write).await, id, &write)
}

async fn insert(State(app): State<Arc<App>>, Path(id): Path<i64>, Json(write): Json<Write>) -> Answered<Json<Answer>> {
    written(&app, app.database.insert(id, &write).await, id, &write)
}

fn written(app: &App, rows: sqlx::Result<u64>, id: i64, write: &Write) -> Answered<Json<Answer>> {
    if rows.map_err(refused(app.shape))? != 1 {
        return Err((StatusCode::NOT_FOUND, format!("{}: there is no customer {id}", app.shape.version())));
    }
    let name = Some(format!("{} {}", write.first, write.last));
    answer(app, Ok(vec![Customer { id, revision: write.revision, name }]))
}

fn answer(app: &App, customers: sqlx::Result<Vec<Customer>>) -> Answered<Json<Answer>> {
    let customers = customers.map_err(refused(app.shape))?;
    Ok(Json(Answer { version: app.shape.version().to_owned(), customers }))
}
