//! The ledger on MariaDB (10.6 or newer) and MySQL (8.0.16 or newer): tables `phasegate_*` in the database they
//! describe. Tested on MariaDB 10.11 and MySQL 9.7.

mod connect;
mod fault;
mod look;
mod probe;
mod reader;
mod session;
mod values;
mod watch;
mod work;

pub(crate) use probe::MysqlProbe;
pub use reader::MysqlReader;
pub use session::MysqlSession;

/// What begins the names of the ledger's tables.
const PREFIX: &str = "phasegate_";
/// The table that every transaction locks first.
const LEDGER: &str = "phasegate_ledger";

/// Which of the two servers it is. They speak one protocol, and an address may call either `mysql`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Mariadb,
    Mysql,
}

impl Flavour {
    /// Its name, for people.
    const fn name(self) -> &'static str {
        match self {
            Self::Mariadb => "MariaDB",
            Self::Mysql => "MySQL",
        }
    }

    /// What tells a server from every other one, as SQL.
    ///
    /// MariaDB: the number that replication demands to be unique among servers that know each other. It has
    /// `@@server_uid` too, but that is made of the network card and the port, and changes with a pod's restart.
    const fn identity(self) -> &'static str {
        match self {
            Self::Mariadb => "CAST(@@global.server_id AS CHAR)",
            Self::Mysql => "@@global.server_uuid",
        }
    }
}
