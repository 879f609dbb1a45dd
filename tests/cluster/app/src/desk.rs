//! Where the tests ask the database servers: a statement as the body of a POST, its values as text. Starting a client
//! inside a server's pod costs a hundred times as much, and scenarios ask every second.

use std::{str::FromStr, sync::Arc};

use anyhow::Context;
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use clap::Args;
use sqlx::{
    ColumnIndex, Connection, Database, Decode, Row, Type,
    mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow},
    postgres::{PgConnectOptions, PgConnection, PgRow},
};

#[derive(Clone, Debug, Args)]
pub(crate) struct Desk {
    /// The PostgreSQL server, as its administrator.
    #[arg(long, env = "POSTGRES_URL", hide_env_values = true)]
    postgres: String,
    /// The MariaDB server, likewise.
    #[arg(long, env = "MARIADB_URL", hide_env_values = true)]
    mariadb: String,
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

impl Desk {
    /// # Errors
    /// When the port cannot be had.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let port = self.port;
        let router = Router::new()
            .route("/ready", get(|| async { "ready" }))
            .route("/{engine}/{database}", post(answer))
            .with_state(Arc::new(self));
        let listener = tokio::net::TcpListener::bind(("0.0.0.0", port)).await?;
        let mut told_to_end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            served = axum::serve(listener, router) => served.context("cannot serve"),
            _ = told_to_end.recv() => Ok(()),
        }
    }

    /// On a connection of its own, so that no setting and no lock outlives an answer.
    async fn ask(&self, engine: &str, database: &str, sql: String) -> anyhow::Result<String> {
        match engine {
            "postgres" => {
                let options = PgConnectOptions::from_str(&self.postgres)?.database(database);
                let mut connection = PgConnection::connect_with(&options).await?;
                let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
                connection.close().await?;
                rows.iter().map(line::<PgRow>).collect()
            }
            "mariadb" => {
                let options = MySqlConnectOptions::from_str(&self.mariadb)?.database(database);
                let mut connection = MySqlConnection::connect_with(&options).await?;
                let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await?;
                // The server goes at the first word of goodbye, and what TLS says after it may find nobody.
                drop(connection.close().await);
                rows.iter().map(line::<MySqlRow>).collect()
            }
            other => anyhow::bail!("there is no server `{other}`"),
        }
    }
}

async fn answer(
    State(desk): State<Arc<Desk>>,
    Path((engine, database)): Path<(String, String)>,
    sql: String,
) -> Result<String, (StatusCode, String)> {
    let answered = desk.ask(&engine, &database, sql).await;
    answered.map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, format!("{error:#}")))
}

/// The values of a row, which a statement without parameters has as text; nothing for NULL.
fn line<R: Row>(row: &R) -> anyhow::Result<String>
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    let values: Result<Vec<_>, _> =
        (0..row.len()).map(|column| row.try_get_unchecked::<Option<String>, _>(column)).collect();
    let values: Vec<_> = values?.into_iter().map(Option::unwrap_or_default).collect();
    Ok(format!("{}\n", values.join("|")))
}
