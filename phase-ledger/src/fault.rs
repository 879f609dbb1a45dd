//! What the errors of a server mean to a ledger, whichever server it is: its numbers are told apart by its driver.

use crate::{
    ReadError, WriteError,
    error::{SeeTo, ServerInNeed},
    text::shortened,
};

/// What a failed statement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is gone; the session with it.
    Gone,
    /// A lock could not be had in time.
    Lock,
    /// The server gave the transaction up, for a reason that may pass.
    Passing,
    /// The server refuses the statement.
    Refused,
}

impl Fault {
    /// Of an error that no server sent. Those about one value leave the connection as it was; all others are about the
    /// connection.
    pub(crate) const fn of_driver(error: &sqlx::Error) -> Self {
        let about_a_value = matches!(
            error,
            sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::Encode(_)
                | sqlx::Error::InvalidArgument(_)
                | sqlx::Error::TypeNotFound { .. }
                | sqlx::Error::ColumnIndexOutOfBounds { .. }
                | sqlx::Error::RowNotFound
        );
        if about_a_value { Self::Refused } else { Self::Gone }
    }

    /// The error of a statement of a transaction. `table` is what a lock was wanted for, if that is known.
    /// `need` is what the server is short of, when that is what it says.
    pub(crate) fn write_error(self, cause: sqlx::Error, sql: &str, table: Option<&str>, need: Need) -> WriteError {
        match self {
            Self::Lock => {
                let table = table.map_or_else(|| shortened(sql, 400), str::to_owned);
                WriteError::LockNotAvailable { table, blocker: None }
            }
            Self::Gone | Self::Passing => WriteError::Transient { cause: passing(cause, need) },
            Self::Refused => WriteError::Refused { statement: shortened(sql, 400), cause: Box::new(cause) },
        }
    }

    /// The error of `fence.sql` or `peek.sql`: whatever refuses them, the ledger is not as it must be.
    pub(crate) fn fence_error(self, cause: sqlx::Error, sql: &str, ledger: &str, need: Need) -> WriteError {
        match self {
            Self::Refused => WriteError::Read(ReadError::damaged(ledger, cause.to_string())),
            Self::Gone | Self::Lock | Self::Passing => self.write_error(cause, sql, Some(ledger), need),
        }
    }

    /// The error of a query of the caller.
    pub(crate) fn query_error(self, cause: sqlx::Error, sql: &str, need: Need) -> ReadError {
        let statement = || shortened(sql, 200);
        match self {
            Self::Gone => unreachable(cause),
            Self::Lock | Self::Passing => ReadError::Passing { statement: statement(), cause: passing(cause, need) },
            Self::Refused => ReadError::Query { statement: statement(), cause: Box::new(cause) },
        }
    }
}

/// What a server is short of, in words; none when it is nobody's need.
pub(crate) type Need = Option<&'static str>;

/// An error that may pass, and what is to be done on the server when it is the server's.
pub(crate) fn passing(cause: sqlx::Error, need: Need) -> Box<dyn std::error::Error + Send + Sync> {
    match need {
        Some(what) => Box::new(ServerInNeed { what, cause: Box::new(cause) }),
        None => Box::new(cause),
    }
}

pub(crate) fn unreachable(cause: sqlx::Error) -> ReadError {
    match to_see_to(&cause) {
        Some(told) => ReadError::Unreachable { cause: Box::new(SeeTo { told, cause }) },
        None => ReadError::Unreachable { cause: Box::new(cause) },
    }
}

/// What to do about it, where the certificate of the server or a file of the address is the matter. Of certificates the
/// driver hands on what rustls says, in words.
fn to_see_to(cause: &sqlx::Error) -> Option<&'static str> {
    if let sqlx::Error::Io(cause) = cause {
        if cause.kind() == std::io::ErrorKind::NotFound {
            return Some(
                "a file that the address names is not there: see to sslrootcert, sslcert and sslkey of PostgreSQL, ssl-ca, \
                 ssl-cert and ssl-key of MariaDB and MySQL, or the server's socket",
            );
        }
        let said = cause.to_string();
        return said.contains("invalid peer certificate").then(|| of_a_certificate(&said));
    }
    matches!(cause, sqlx::Error::Tls(_)).then_some(
        "no TLS with the server: see to TLS there, and to the files and the mode in the address: sslmode and sslrootcert of \
         PostgreSQL, ssl-mode and ssl-ca of MariaDB and MySQL",
    )
}

fn of_a_certificate(said: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["UnknownIssuer", "BadSignature"]) {
        return "the server's certificate is not believed: name the CA that signed it in the address (sslrootcert=FILE on \
                PostgreSQL, ssl-ca=FILE on MariaDB and MySQL); if that is the right one, somebody else answers there";
    }
    if has(&["not valid for name", "NotValidForName"]) {
        return "the server's certificate is not believed: use a host name in the address that it is made out for, or have \
                it made out for this one";
    }
    if has(&["expired", "Expired"]) {
        return "the server's certificate is not believed: it has expired, so renew it on the server";
    }
    if has(&["not valid yet", "NotValidYet"]) {
        return "the server's certificate is not believed: it is not valid yet, so look at the clocks of both machines";
    }
    "the server's certificate is not believed: give the server one that is made for servers, or correct the address"
}
