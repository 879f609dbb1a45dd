//! The app's database: PostgreSQL or MariaDB, as its address says, each by its own driver.

use std::{str::FromStr, time::Duration};

use anyhow::{Context, bail};
use sqlx::{
    Executor, MySqlPool, PgPool, Row,
    mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlRow},
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};

use crate::{
    Shape,
    serve::{Customer, Write},
    sql::{self, Statements},
};

/// A user waits ten seconds for a page: what takes longer in the database is of no use to anybody.
const PATIENCE: Duration = Duration::from_secs(8);
const MARIADB_PATIENCE: &str = "SET SESSION max_statement_time = 8";

/// A few connections, and what one version asks on them.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    sql: Statements,
    pool: Pool,
}

#[derive(Clone, Debug)]
enum Pool {
    Postgres(PgPool),
    Mariadb(MySqlPool),
}

impl Database {
    /// # Errors
    /// When the address cannot be read, nobody answers there, or the version knows no statements for such a server.
    pub(crate) async fn connect(url: &str, shape: Shape) -> anyhow::Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => {
                let options = PgConnectOptions::from_str(url)
                    .context("DATABASE_URL cannot be read")?
                    .options([("statement_timeout", PATIENCE.as_millis().to_string())]);
                let pool = bounded(PgPoolOptions::new()).connect_with(options).await;
                let pool = Pool::Postgres(pool.context("cannot reach the database")?);
                Ok(Self { sql: sql::postgres(shape), pool })
            }
            Some("mysql" | "mariadb") => {
                let sql = sql::mariadb(shape).context("this version does not speak to MariaDB")?;
                // As an application comes that never heard of the driver's own wishes.
                let options = MySqlConnectOptions::from_str(url)
                    .context("DATABASE_URL cannot be read")?
                    .pipes_as_concat(false)
                    .no_engine_substitution(false)
                    .timezone(None);
                let pool = bounded(MySqlPoolOptions::new()).after_connect(|connection, _| {
                    Box::pin(async move { connection.execute(MARIADB_PATIENCE).await.map(|_| ()) })
                });
                let pool = pool.connect_with(options).await;
                Ok(Self { sql, pool: Pool::Mariadb(pool.context("cannot reach the database")?) })
            }
            Some(_) | None => bail!("DATABASE_URL names neither PostgreSQL nor MariaDB"),
        }
    }

    /// Whether it answers.
    pub(crate) async fn answers(&self) -> sqlx::Result<()> {
        match &self.pool {
            Pool::Postgres(pool) => pool.execute("SELECT 1").await.map(|_| ()),
            Pool::Mariadb(pool) => pool.execute("SELECT 1").await.map(|_| ()),
        }
    }

    /// The customer of that key, if there is one.
    pub(crate) async fn read(&self, id: i64) -> sqlx::Result<Vec<Customer>> {
        match &self.pool {
            Pool::Postgres(pool) => of_postgres(&sqlx::query(self.sql.read).bind(id).fetch_all(pool).await?),
            Pool::Mariadb(pool) => of_mariadb(&sqlx::query(self.sql.read).bind(id).fetch_all(pool).await?),
        }
    }

    /// Those after a key, at most so many.
    pub(crate) async fn page(&self, after: i64, limit: i64) -> sqlx::Result<Vec<Customer>> {
        let sql = self.sql.page;
        match &self.pool {
            Pool::Postgres(pool) => of_postgres(&sqlx::query(sql).bind(after).bind(limit).fetch_all(pool).await?),
            Pool::Mariadb(pool) => of_mariadb(&sqlx::query(sql).bind(after).bind(limit).fetch_all(pool).await?),
        }
    }

    /// Changes a customer; how many there were.
    pub(crate) async fn update(&self, id: i64, write: &Write) -> sqlx::Result<u64> {
        self.write(self.sql.update, id, write).await
    }

    /// Brings a customer in.
    pub(crate) async fn insert(&self, id: i64, write: &Write) -> sqlx::Result<u64> {
        self.write(self.sql.insert, id, write).await
    }

    async fn write(&self, sql: &'static str, id: i64, write: &Write) -> sqlx::Result<u64> {
        let Write { first, last, revision } = write;
        match &self.pool {
            Pool::Postgres(pool) => {
                let query = sqlx::query(sql).bind(first).bind(last).bind(revision).bind(id);
                Ok(query.execute(pool).await?.rows_affected())
            }
            Pool::Mariadb(pool) => {
                let query = sqlx::query(sql).bind(first).bind(last).bind(revision).bind(id);
                Ok(query.execute(pool).await?.rows_affected())
            }
        }
    }
}

fn bounded<D: sqlx::Database>(options: PoolOptions<D>) -> PoolOptions<D> {
    options.max_connections(4).acquire_timeout(PATIENCE)
}

fn of_postgres(rows: &[PgRow]) -> sqlx::Result<Vec<Customer>> {
    let customer = |row: &PgRow| Ok(Customer { id: row.try_get(0)?, revision: row.try_get(1)?, name: row.try_get(2)? });
    rows.iter().map(customer).collect()
}

fn of_mariadb(rows: &[MySqlRow]) -> sqlx::Result<Vec<Customer>> {
    let customer =
        |row: &MySqlRow| Ok(Customer { id: row.try_get(0)?, revision: row.try_get(1)?, name: row.try_get(2)? });
    rows.iter().map(customer).collect()
}
