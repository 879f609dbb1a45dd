//! One version of the app: reads and writes in the tables and columns it knows.

use std::{str::FromStr, sync::Arc, time::Duration};

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
use sqlx::{
    PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use crate::{
    Shape,
    metrics::{Answers, count},
    sql::{Statements, statements},
};

/// A user waits ten seconds for a page: what takes longer in the database is of no use to anybody.
const PATIENCE: Duration = Duration::from_secs(8);

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
    sql: Statements,
    database: PgPool,
    faults: u8,
}

impl Serve {
    /// # Errors
    /// When the database or the port cannot be had.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let options = PgConnectOptions::from_str(&self.database)
            .context("DATABASE_URL cannot be read")?
            .options([("statement_timeout", PATIENCE.as_millis().to_string())]);
        let database = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .context("cannot reach the database")?;
        let mut told_to_end = signal(SignalKind::terminate())?;
        let app = Arc::new(App { shape: self.shape, sql: statements(self.shape), database, faults: self.faults });
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
    sqlx::query("SELECT 1").execute(&app.database).await.map_err(refused(app.shape))?;
    Ok("ready")
}

async fn read(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Answered<Json<Answer>> {
    if fastrand::u8(0..100) < app.faults {
        return Err((StatusCode::INTERNAL_SERVER_ERROR, format!("{}: a mistake of its own", app.shape.version())));
    }
    let rows = sqlx::query(app.sql.read).bind(id).fetch_all(&app.database).await.map_err(refused(app.shape))?;
    answer(&app, &rows)
}

async fn page(State(app): State<Arc<App>>, Query(page): Query<Page>) -> Answered<Json<Answer>> {
    let query = sqlx::query(app.sql.page).bind(page.after).bind(page.limit);
    let rows = query.fetch_all(&app.database).await.map_err(refused(app.shape))?;
    answer(&app, &rows)
}

async fn update(State(app): State<Arc<App>>, Path(id): Path<i64>, Json(write): Json<Write>) -> Answered<Json<Answer>> {
    written(&app, app.sql.update, id, &write).await
}

async fn insert(State(app): State<Arc<App>>, Path(id): Path<i64>, Json(write): Json<Write>) -> Answered<Json<Answer>> {
    written(&app, app.sql.insert, id, &write).await
}

async fn written(app: &App, sql: &'static str, id: i64, write: &Write) -> Answered<Json<Answer>> {
    let query = sqlx::query(sql).bind(&write.first).bind(&write.last).bind(write.revision).bind(id);
    let done = query.execute(&app.database).await.map_err(refused(app.shape))?;
    if done.rows_affected() != 1 {
        return Err((StatusCode::NOT_FOUND, format!("{}: there is no customer {id}", app.shape.version())));
    }
    let name = Some(format!("{} {}", write.first, write.last));
    let customers = vec![Customer { id, revision: write.revision, name }];
    Ok(Json(Answer { version: app.shape.version().to_owned(), customers }))
}

fn answer(app: &App, rows: &[sqlx::postgres::PgRow]) -> Answered<Json<Answer>> {
    let customer = |row: &sqlx::postgres::PgRow| {
        Ok(Customer { id: row.try_get(0)?, revision: row.try_get(1)?, name: row.try_get(2)? })
    };
    let customers = rows.iter().map(customer).collect::<sqlx::Result<_>>().map_err(refused(app.shape))?;
    Ok(Json(Answer { version: app.shape.version().to_owned(), customers }))
}
