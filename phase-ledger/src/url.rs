//! `DatabaseUrl`: where a database is and with which password. Whoever prints it sees no password.

mod mysql;

use std::{fmt, path::PathBuf, str::FromStr};

use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

use crate::{mysql::Flavour, text::percent_decoded};

pub(crate) use self::mysql::MysqlAddress;

/// Where a database is: `postgres://user:password@host/database?sslmode=...`, the same with `mysql://` or `mariadb://`,
/// or `sqlite:///path/to/file.db`.
#[derive(Clone)]
pub struct DatabaseUrl {
    target: Target,
}

/// The same, taken apart.
#[derive(Clone)]
pub(crate) enum Target {
    Postgres(Box<PgConnectOptions>),
    Mysql(Box<MysqlAddress>),
    Sqlite(PathBuf),
}

/// The engines that can hold a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerEngine {
    /// PostgreSQL.
    Postgres,
    /// MySQL, or MariaDB by the address of the protocol they share.
    Mysql,
    /// MariaDB.
    Mariadb,
    /// SQLite.
    Sqlite,
}

impl LedgerEngine {
    /// Every engine.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Mysql, Self::Mariadb, Self::Sqlite];

    /// The word used in files and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Sqlite => "sqlite",
        }
    }
}

/// The text is no address of a database. No variant holds any part of a text that may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDatabaseUrl {
    /// No known scheme.
    #[error(
        "this is no database URL; write postgres://user:password@host/database (or mysql://, or mariadb://), or sqlite:///path/to/file.db"
    )]
    Scheme,
    /// A MySQL or MariaDB server without a database on it.
    #[error("the database URL names no database; write it behind the host: mysql://user:password@host/database")]
    NoDatabase,
    /// It cannot be taken apart.
    #[error("the database URL cannot be read; percent-encode every / ? # @ : and % in its user and password")]
    Unreadable,
    /// A parameter that nothing reads.
    #[error("the database URL has a parameter `{name}` that nothing reads; remove it")]
    Parameter {
        /// Its name, cut to 40 characters.
        name: String,
    },
    /// A parameter whose value cannot be used.
    #[error("the database URL has a parameter `{name}` with a value that cannot be used")]
    Value {
        /// Its name.
        name: String,
    },
    /// An SQLite database that is no file.
    #[error("an SQLite URL names one file: sqlite:///path/to/file.db")]
    NoFile,
}

/// Read by the driver.
const KNOWN: [&str; 13] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "options",
];
/// What other drivers read and what Phasegate decides itself.
const IGNORED: [&str; 9] = [
    "application_name",
    "fallback_application_name",
    "connect_timeout",
    "target_session_attrs",
    "channel_binding",
    "gssencmode",
    "keepalives",
    "keepalives_idle",
    "statement-cache-capacity",
];

impl DatabaseUrl {
    /// The engine.
    pub fn engine(&self) -> LedgerEngine {
        match &self.target {
            Target::Postgres(_) => LedgerEngine::Postgres,
            Target::Mysql(address) => match address.must_be {
                Some(Flavour::Mariadb) => LedgerEngine::Mariadb,
                Some(Flavour::Mysql) | None => LedgerEngine::Mysql,
            },
            Target::Sqlite(_) => LedgerEngine::Sqlite,
        }
    }

    /// The address as the engine's own tools read it from their environment; nothing for a file. It holds the password:
    /// for the environment of a child only.
    pub fn tool_environment(&self) -> Vec<(&'static str, String)> {
        let options = match &self.target {
            Target::Postgres(options) => options,
            Target::Mysql(address) => return address.tool_environment(),
            Target::Sqlite(_) => return Vec::new(),
        };
        let host = options
            .get_socket()
            .map_or_else(|| options.get_host().to_owned(), |socket| socket.to_string_lossy().into_owned());
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let mut all = vec![
            ("PGHOST", host),
            ("PGPORT", options.get_port().to_string()),
            ("PGUSER", options.get_username().to_owned()),
            ("PGDATABASE", database.to_owned()),
        ];
        let url = options.to_url_lossy();
        all.extend(url.password().and_then(decoded).map(|password| ("PGPASSWORD", password)));
        for (name, value) in url.query_pairs() {
            let known = match name.as_ref() {
                "sslmode" => "PGSSLMODE",
                "sslrootcert" => "PGSSLROOTCERT",
                "sslcert" => "PGSSLCERT",
                "sslkey" => "PGSSLKEY",
                _ => continue,
            };
            all.push((known, as_typed(&value).to_owned()));
        }
        all
    }

    /// What the tools of MariaDB and MySQL are told of the address by their arguments, the database last; no password.
    pub fn tool_arguments(&self) -> Vec<String> {
        match &self.target {
            Target::Mysql(address) => address.tool_arguments(),
            Target::Postgres(_) | Target::Sqlite(_) => Vec::new(),
        }
    }

    /// The same address, when it may lead to this engine; every connection then looks whether it does. `mysql://` may
    /// lead to MariaDB too, whose dialect is another.
    pub fn expecting(&self, engine: LedgerEngine) -> Option<Self> {
        let must_be = match (&self.target, engine) {
            (Target::Postgres(_), LedgerEngine::Postgres) | (Target::Sqlite(_), LedgerEngine::Sqlite) => {
                return Some(self.clone());
            }
            (Target::Mysql(_), LedgerEngine::Mysql) => Flavour::Mysql,
            (Target::Mysql(_), LedgerEngine::Mariadb) => Flavour::Mariadb,
            (Target::Postgres(_), LedgerEngine::Mysql | LedgerEngine::Mariadb | LedgerEngine::Sqlite)
            | (Target::Mysql(_), LedgerEngine::Postgres | LedgerEngine::Sqlite)
            | (Target::Sqlite(_), LedgerEngine::Postgres | LedgerEngine::Mysql | LedgerEngine::Mariadb) => return None,
        };
        let Target::Mysql(address) = &self.target else { return None };
        if address.must_be.is_some_and(|already| already != must_be) {
            return None;
        }
        let address = MysqlAddress { must_be: Some(must_be), ..MysqlAddress::clone(address) };
        Some(Self { target: Target::Mysql(Box::new(address)) })
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }
}

impl FromStr for DatabaseUrl {
    type Err = BadDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, BadDatabaseUrl> {
        let text = text.trim();
        let (scheme, rest) = text.split_once(':').ok_or(BadDatabaseUrl::Scheme)?;
        let target = match scheme {
            "postgres" | "postgresql" => Target::Postgres(Box::new(postgres(rest)?)),
            "sqlite" => Target::Sqlite(sqlite(rest)?),
            "mysql" => Target::Mysql(Box::new(mysql::mysql(rest, None)?)),
            "mariadb" => Target::Mysql(Box::new(mysql::mysql(rest, Some(Flavour::Mariadb))?)),
            _ => return Err(BadDatabaseUrl::Scheme),
        };
        Ok(Self { target })
    }
}

fn postgres(rest: &str) -> Result<PgConnectOptions, BadDatabaseUrl> {
    let rest = rest.strip_prefix("//").ok_or(BadDatabaseUrl::Scheme)?;
    let (authority, path, query) = no_stray_marks(rest)?;
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = KNOWN.contains(&name) || matches!(name, "user" | "password" | "dbname");
        if known {
            let single = format!("postgres://localhost/?{name}={value}");
            if single.parse::<PgConnectOptions>().is_err() {
                return Err(BadDatabaseUrl::Value { name: name.to_owned() });
            }
            kept.push(pair);
        } else if !IGNORED.contains(&name) {
            return Err(BadDatabaseUrl::Parameter { name: name.chars().take(40).collect() });
        }
    }
    format!("postgres://{authority}{path}?{}", kept.join("&"))
        .parse::<PgConnectOptions>()
        .map_err(|_| BadDatabaseUrl::Unreadable)
}

/// Authority, path and query of an address behind its `//`. A password with an unencoded / ? or # would end the authority
/// early and turn up in messages as a host or a name.
fn no_stray_marks(rest: &str) -> Result<(&str, &str, &str), BadDatabaseUrl> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if tail.contains(['@', '#']) || authority.matches('@').count() > 1 {
        return Err(BadDatabaseUrl::Unreadable);
    }
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    Ok((authority, path, query))
}

fn sqlite(rest: &str) -> Result<PathBuf, BadDatabaseUrl> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if let Some((_, query)) = path.split_once('?') {
        return Err(BadDatabaseUrl::Parameter { name: query.chars().take_while(|c| *c != '=').take(40).collect() });
    }
    let path = decoded(path).ok_or(BadDatabaseUrl::Unreadable)?;
    if path.is_empty() || path.ends_with('/') || path.contains(":memory:") || path.contains('\0') {
        return Err(BadDatabaseUrl::NoFile);
    }
    Ok(PathBuf::from(path))
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Postgres(options) => {
                let (host, port) = (options.get_host(), options.get_port());
                let database = options.get_database().unwrap_or_else(|| options.get_username());
                write!(f, "postgres://{host}:{port}/{database}")
            }
            Target::Mysql(address) => write!(f, "{address}"),
            Target::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// What was typed of a parameter. The driver writes a file of certificates down as `file: /etc/ca.pem`.
fn as_typed(value: &str) -> &str {
    value.strip_prefix("file: ").unwrap_or(value)
}

/// A percent-encoded text.
fn decoded(text: &str) -> Option<String> {
    percent_decoded(text).and_then(|bytes| String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests;
