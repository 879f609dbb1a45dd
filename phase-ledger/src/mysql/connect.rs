//! How the two sides connect. The runner marks its server session, to recognise a proxy that swaps sessions.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row as _,
    mysql::{MySqlConnectOptions, MySqlConnection},
};
use tokio::time::timeout;

use crate::{
    ReadError,
    mysql::{Flavour, fault, values},
    url::MysqlAddress,
};

const CONNECT: Duration = Duration::from_secs(5);

/// A runner's connection.
pub(super) struct Runner {
    pub(super) connection: MySqlConnection,
    pub(super) flavour: Flavour,
    /// What marks the server's session as ours.
    pub(super) mark: String,
    /// The server's number of this session.
    pub(super) thread: String,
}

/// A gate's connection.
pub(super) async fn gate(address: &MysqlAddress) -> Result<(MySqlConnection, Flavour), ReadError> {
    let mut connection = plain(&address.options).await.map_err(fault::unreachable)?;
    let (flavour, _) = greet(&mut connection, address).await?;
    Ok((connection, flavour))
}

/// A runner's connection, with its settings.
pub(super) async fn runner(address: &MysqlAddress) -> Result<Runner, ReadError> {
    let mut connection = plain(&address.options).await.map_err(fault::unreachable)?;
    let (flavour, thread) = greet(&mut connection, address).await?;
    one_primary(&mut connection).await?;
    let mark = format!("{:016x}", fastrand::u64(..));
    let unbounded = match flavour {
        Flavour::Mariadb => "max_statement_time",
        Flavour::Mysql => "max_execution_time",
    };
    let settings = format!(
        "{}SET SESSION {unbounded} = 0, group_concat_max_len = 1048576, @phasegate_mark = '{mark}', \
         @phasegate_server = {}",
        include_str!("../sql/mysql/settings.sql"),
        flavour.identity()
    );
    sqlx::raw_sql(AssertSqlSafe(settings)).execute(&mut connection).await.map_err(fault::unreachable)?;
    Ok(Runner { connection, flavour, mark, thread })
}

/// A connection and nothing else. Values travel as UTF-8; everything else is as the server has it.
pub(super) async fn plain(options: &MySqlConnectOptions) -> Result<MySqlConnection, sqlx::Error> {
    let options = options.clone().pipes_as_concat(false).no_engine_substitution(false).timezone(None);
    let options = options.disable_statement_logging();
    let late = || sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection within 5 s"));
    timeout(CONNECT, MySqlConnection::connect_with(&options)).await.unwrap_or_else(|_| Err(late()))
}

/// Which server it is, and its number of this session.
async fn greet(connection: &mut MySqlConnection, address: &MysqlAddress) -> Result<(Flavour, String), ReadError> {
    let sql = "SELECT @@global.version, CAST(CONNECTION_ID() AS CHAR)";
    let row = timeout(CONNECT, sqlx::raw_sql(sql).fetch_one(&mut *connection)).await;
    let row = row.map_err(|_| ReadError::Unreachable { cause: "no answer within 5 s".into() })?;
    let row = row.map_err(fault::unreachable)?;
    let text = |at| values::text(&row, at).map(Option::unwrap_or_default).map_err(fault::unreachable);
    let version = text(0)?;
    let flavour = if version.contains("MariaDB") { Flavour::Mariadb } else { Flavour::Mysql };
    if let Some(must_be) = address.must_be.filter(|must_be| *must_be != flavour) {
        let (want, found) = (must_be.name(), flavour.name());
        let why = format!("{want} was declared, and the server is {found} {version}; declare what it is");
        return Err(ReadError::Unsupported { why });
    }
    if let Some(why) = too_old(flavour, &version) {
        return Err(ReadError::Unsupported { why });
    }
    Ok((flavour, text(1)?))
}

/// `INSTANT` columns, prepared DDL, dropped columns without a rebuild: what the statements made here rely on.
fn too_old(flavour: Flavour, version: &str) -> Option<String> {
    let number = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let found = [(); 3].map(|()| parts.next().unwrap_or_default());
    let (oldest, name) = match flavour {
        Flavour::Mariadb => ([10, 6, 0], "MariaDB 10.6"),
        Flavour::Mysql => ([8, 0, 16], "MySQL 8.0.16"),
    };
    (found < oldest).then(|| format!("the server has version {version}; it must be {name} or newer"))
}

/// Where several servers accept writes, neither a named lock nor a locked row of one of them stops the others.
async fn one_primary(connection: &mut MySqlConnection) -> Result<(), ReadError> {
    let rows = sqlx::raw_sql(include_str!("../sql/mysql/several_primaries.sql")).fetch_all(connection).await;
    let rows = rows.map_err(fault::unreachable)?;
    if rows.first().is_some_and(|row| row.len() > 0) {
        let why = "it is a cluster in which several servers accept writes (Galera, or group replication with several \
                   primaries): a lock on one of them does not hold on the others. Phasegate needs a single primary";
        return Err(ReadError::Unsupported { why: why.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_part_by_part() {
        for (flavour, version, fits) in [
            (Flavour::Mariadb, "10.11.19-MariaDB-0+deb12u1-log", true),
            (Flavour::Mariadb, "10.6.0-MariaDB", true),
            (Flavour::Mariadb, "10.5.29-MariaDB", false),
            (Flavour::Mariadb, "11.4.2-MariaDB", true),
            (Flavour::Mysql, "8.0.16", true),
            (Flavour::Mysql, "8.0.9-rds", false),
            (Flavour::Mysql, "8.4.0", true),
            (Flavour::Mysql, "5.7.44-log", false),
            (Flavour::Mysql, "what", false),
        ] {
            assert_eq!(too_old(flavour, version).is_none(), fits, "{version}");
        }
    }
}
