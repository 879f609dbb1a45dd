//! `mysql://` and `mariadb://`: one protocol, and the second says that the server must be MariaDB.

use sqlx::{ConnectOptions as _, mysql::MySqlConnectOptions};

use super::{BadDatabaseUrl, as_typed, decoded, no_stray_marks};
use crate::mysql::Flavour;

/// Where a MariaDB or MySQL database is.
#[derive(Clone)]
pub(crate) struct MysqlAddress {
    pub(crate) options: MySqlConnectOptions,
    /// The server that it must lead to; `mysql://` alone says nothing of that.
    pub(crate) must_be: Option<Flavour>,
}

impl MysqlAddress {
    /// The password, where the server's own tools look for it.
    pub(super) fn tool_environment(&self) -> Vec<(&'static str, String)> {
        let url = self.options.to_url_lossy();
        url.password().and_then(decoded).map(|password| ("MYSQL_PWD", password)).into_iter().collect()
    }

    /// Everything else. The tools of MariaDB and MySQL say differently what they want of TLS.
    pub(super) fn tool_arguments(&self) -> Vec<String> {
        let url = self.options.to_url_lossy();
        let mut all = match self.options.get_socket() {
            Some(socket) => vec![format!("--socket={}", socket.display())],
            None => vec![
                "--protocol=TCP".to_owned(),
                format!("--host={}", self.options.get_host()),
                format!("--port={}", self.options.get_port()),
            ],
        };
        all.extend(decoded(url.username()).map(|user| format!("--user={user}")));
        for (name, value) in url.query_pairs() {
            match (name.as_ref(), self.must_be) {
                ("ssl-mode", Some(Flavour::Mariadb)) => match value.to_ascii_uppercase().as_str() {
                    "DISABLED" => all.push("--skip-ssl".to_owned()),
                    // They cannot check who signed it without checking for whom: rather too strict than not at all.
                    "VERIFY_CA" | "VERIFY_IDENTITY" => {
                        all.extend(["--ssl", "--ssl-verify-server-cert"].map(str::to_owned));
                    }
                    "REQUIRED" => all.push("--ssl".to_owned()),
                    _ => {}
                },
                ("ssl-mode", Some(Flavour::Mysql) | None) => all.push(format!("--ssl-mode={value}")),
                ("ssl-ca" | "ssl-cert" | "ssl-key", _) => all.push(format!("--{name}={}", as_typed(&value))),
                _ => {}
            }
        }
        all.push(self.options.get_database().unwrap_or_default().to_owned());
        all
    }
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
