//! How the two sides connect. The runner marks its server session, to recognise a pooler.
//!
//! sqlx keeps the process number of the server's greeting to itself, so the usual comparison with `pg_backend_pid()` is
//! not to be had. The mark does the same: a setting with a random value goes along in the startup packet, and a server
//! session that was opened by this very packet has it. A pooler opens its server sessions by itself: PgBouncer refuses
//! the packet, or drops the setting when told to ignore it. Every fence compares the mark again. What it cannot see is a
//! pooler that hands the packet through and keeps one server session for each client; that one is harmless.

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection, Row as _,
    postgres::{PgConnectOptions, PgConnection},
};
use tokio::time::timeout;

use crate::{ReadError, postgres::fault};

const CONNECT: Duration = Duration::from_secs(5);
const APPLICATION: &str = "phasegate";
/// `idle_session_timeout` and `client_connection_check_interval` came with it.
const OLDEST_SERVER: u32 = 140_000;

/// A gate's connection: nothing special about it, so that it works through a pooler too.
pub(super) async fn gate(options: &PgConnectOptions) -> Result<PgConnection, ReadError> {
    let options = options.clone().application_name(APPLICATION).extra_float_digits(None).disable_statement_logging();
    connect(&options).await.map_err(fault::unreachable)
}

/// A runner's connection, and the mark of its server session.
pub(super) async fn runner(options: &PgConnectOptions) -> Result<(PgConnection, String), ReadError> {
    let mark = format!("{:016x}", fastrand::u64(..));
    let options = options
        .clone()
        .application_name(APPLICATION)
        .options([("phasegate.connection", mark.as_str())])
        .disable_statement_logging();
    let mut connection = connect(&options).await.map_err(|cause| {
        // PgBouncer's answer to a packet with settings it does not know.
        let refused =
            cause.as_database_error().is_some_and(|error| error.message().contains("unsupported startup parameter"));
        if refused { ReadError::Pooler } else { fault::no_connection(cause) }
    })?;
    if connection.server_version_num().is_some_and(|version| version < OLDEST_SERVER) {
        return Err(ReadError::Unreachable { cause: "the server is older than PostgreSQL 14".into() });
    }
    sqlx::raw_sql(include_str!("../sql/postgres/settings.sql"))
        .execute(&mut connection)
        .await
        .map_err(fault::unreachable)?;
    // A pooler that was told to ignore the setting shows itself here, to those too who only look.
    let marked = sqlx::raw_sql("SELECT pg_catalog.current_setting('phasegate.connection', true)")
        .fetch_one(&mut connection)
        .await
        .map_err(fault::unreachable)?;
    let marked: Option<String> = marked.try_get(0).map_err(fault::unreachable)?;
    if marked.as_deref() != Some(mark.as_str()) {
        return Err(ReadError::Pooler);
    }
    Ok((connection, mark))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let late = || sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection within 5 s"));
    timeout(CONNECT, PgConnection::connect_with(options)).await.unwrap_or_else(|_| Err(late()))
}
