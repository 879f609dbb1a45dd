//! `mysql://` and `mariadb://`: one protocol, and the second says that the server must be MariaDB.

use sqlx::mysql::MySqlConnectOptions;

use super::{BadDatabaseUrl, no_stray_marks};
use crate::mysql::Flavour;

/// Where a MariaDB or MySQL database is.
#[derive(Clone)]
pub(crate) struct MysqlAddress {
    pub(crate) options: MySqlConnectOptions,
    /// The server that it must lead to; `mysql://` alone says nothing of that.
    pub(crate) must_be: Option<Flavour>,
}

/// Read by the driver.
const KNOWN: [&str; 9] =
    ["sslmode", "ssl-mode", "sslca", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key", "socket"];
/// What other drivers read and what Phasegate decides itself.
const IGNORED: [&str; 6] =
    ["charset", "collation", "connect_timeout", "statement-cache-capacity", "timezone", "time-zone"];

pub(super) fn mysql(rest: &str, must_be: Option<Flavour>) -> Result<MysqlAddress, BadDatabaseUrl> {
    let rest = rest.strip_prefix("//").ok_or(BadDatabaseUrl::Scheme)?;
    let (authority, path, query) = no_stray_marks(rest)?;
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if KNOWN.contains(&name) {
            if format!("mysql://localhost/?{name}={value}").parse::<MySqlConnectOptions>().is_err() {
                return Err(BadDatabaseUrl::Value { name: name.to_owned() });
            }
            kept.push(pair);
        } else if !IGNORED.contains(&name) {
            return Err(BadDatabaseUrl::Parameter { name: name.chars().take(40).collect() });
        }
    }
    let options = format!("mysql://{authority}{path}?{}", kept.join("&"))
        .parse::<MySqlConnectOptions>()
        .map_err(|_| BadDatabaseUrl::Unreadable)?;
    // The ledger lives in the database it describes.
    match options.get_database() {
        Some(name) if !name.is_empty() => Ok(MysqlAddress { options, must_be }),
        Some(_) | None => Err(BadDatabaseUrl::NoDatabase),
    }
}

impl std::fmt::Display for MysqlAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.must_be {
            Some(Flavour::Mariadb) => "mariadb",
            Some(Flavour::Mysql) | None => "mysql",
        };
        let (host, port) = (self.options.get_host(), self.options.get_port());
        write!(f, "{scheme}://{host}:{port}/{}", self.options.get_database().unwrap_or_default())
    }
}
