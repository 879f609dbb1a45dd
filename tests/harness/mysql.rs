//! A real MySQL server for tests, which differs from MariaDB's only in how it is made: a copy of the data directory that
//! `tests/setup/mysql` made. What speaks to it is [`crate::mariadb`]'s. TLS is on, and accounts have
//! `caching_sha2_password`, as MySQL comes.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, bail};

use crate::mariadb::{ADMIN, Database, Flavour, PASSWORD, Server};

/// The server of this test process, started when first asked for.
///
/// # Errors
/// What is missing, and what brings it.
pub fn shared() -> Result<&'static Server> {
    static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
    let start = || start(&["--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"]);
    match SHARED.get_or_init(|| start().map_err(|error| format!("{error:#}"))) {
        Ok(server) => Ok(server),
        Err(why) => bail!("{why}"),
    }
}

/// A new empty database on the shared server.
///
/// # Errors
/// What is missing, and what brings it.
pub async fn database() -> Result<Database> {
    shared()?.database().await
}

/// A server of its own. `settings` are options of `mysqld` as on its command line; the last of two wins.
///
/// # Errors
/// What is missing, and what brings it.
pub fn start(settings: &[&str]) -> Result<Server> {
    Server::start_as(Flavour::Mysql, settings)
}

/// Where MySQL's programs are, and nothing else.
///
/// # Errors
/// What is missing, and what brings it.
pub fn programs() -> Result<PathBuf> {
    Ok(root()?.join("bin"))
}

/// `tests/setup/debian` leaves a link to it in the target directory, in which this program is too.
fn root() -> Result<PathBuf> {
    let this = std::env::current_exe().context("where is this program?")?;
    let places = this.ancestors().map(|place| place.join("setup/mysql"));
    let found = places.into_iter().find(|place| place.join("bin/mysqld").is_file());
    found.context("MySQL is not there: run tests/setup/debian")
}

/// Fills a directory with the files of a new server. Returns what its first start shall do.
pub(crate) fn install(directory: &Path) -> Result<String> {
    // The holes of InnoDB's files stay holes.
    let copied = Command::new("cp")
        .args(["-r", "--sparse=always"])
        .arg(root()?.join("data"))
        .arg(directory.join("data"))
        .status()
        .context("run cp")?;
    if !copied.success() {
        bail!("cannot copy MySQL's data directory: cp: {copied}");
    }
    Ok(format!(
        "CREATE USER IF NOT EXISTS '{ADMIN}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
         GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'127.0.0.1' WITH GRANT OPTION;\n\
         DROP USER IF EXISTS 'root'@'localhost';\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_is_as_it_comes() {
        let server = start(&[]).unwrap();
        let sql =
            "SELECT @@log_bin, @@binlog_format, @@innodb_flush_log_at_trx_commit, @@log_bin_trust_function_creators,
                          @@version LIKE '8.%' OR @@version LIKE '9.%', @@version LIKE '%MariaDB%',
                          (SELECT plugin FROM mysql.user WHERE user = 'admin'), @@collation_database";
        let found = server.database().await.unwrap().rows(sql).await.unwrap();
        let expected = ["1", "ROW", "1", "0", "1", "0", "caching_sha2_password", "utf8mb4_0900_ai_ci"];
        assert_eq!(found, [expected.map(|text| Some(text.to_owned()))]);
    }
}
