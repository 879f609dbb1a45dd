//! The SQL of a role for the gate: it can read the ledger and have statements prepared, and write nothing. Pure text; a
//! database administrator reads it and runs it.

use std::fmt::Write;

use schema_changes::{Engine, quote};

/// Whose role, and what of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateRole {
    /// The engine.
    pub engine: Engine,
    /// The role to make.
    pub role: String,
    /// The role that `phasegate run` uses; it will own the ledger.
    pub runner: String,
    /// The database.
    pub database: String,
    /// The schemas that the apps' statements use; PostgreSQL only.
    pub schemas: Vec<String>,
}

/// No such role can be described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRole {
    /// A name is empty, too long, or holds what no name holds.
    #[error("`{found}` cannot be the name of a {what}; use 1 to 63 characters without control characters")]
    Name {
        /// What it should name.
        what: &'static str,
        /// What stood there, cut to 80 characters.
        found: String,
    },
    /// The engine has no roles.
    #[error("{engine} has no roles; give the gate a file that it may only read")]
    NoRoles {
        /// The engine.
        engine: Engine,
    },
}

/// The tables of a ledger that a gate reads.
const TABLES: [&str; 5] = ["ledger", "changes", "done", "backfills", "ranges"];

/// The SQL that makes the role, or brings one up to date that is there.
///
/// # Errors
/// [`NoRole`].
pub fn gate_role(wanted: &GateRole) -> Result<String, NoRole> {
    let GateRole { engine, role, runner, database, schemas } = wanted;
    let names = [("role", role), ("role", runner), ("database", database)];
    for (what, name) in names.into_iter().chain(schemas.iter().map(|schema| ("schema", schema))) {
        if name.is_empty() || name.len() > 63 || name.chars().any(char::is_control) || name.contains("$do$") {
            return Err(NoRole::Name { what, found: name.chars().take(80).collect() });
        }
    }
    match engine {
        Engine::Postgres => Ok(postgres(wanted)),
        Engine::Mysql | Engine::Mariadb => Ok(mysql(wanted)),
        Engine::Sqlite => Err(NoRole::NoRoles { engine: *engine }),
    }
}

fn postgres(wanted: &GateRole) -> String {
    let GateRole { engine, role, runner, database, schemas } = wanted;
    let name = |name: &str| quote(*engine, name);
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let (gate, owner, on) = (name(role), name(runner), name(database));
    let mut sql = format!(
        "\
-- The gate's role for the database {on}: run this in that database, as its owner or a superuser.
-- It may be run again. Give the role its password with \\password in psql, or use a certificate.
DO $do$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {role}) THEN
    CREATE ROLE {gate} LOGIN;
  END IF;
END $do$;
ALTER ROLE {gate} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 20;
-- A belt: the rights below are what holds.
ALTER ROLE {gate} SET default_transaction_read_only = on;
GRANT CONNECT ON DATABASE {on} TO {gate};

-- The ledger. The runner makes its tables later, and they are readable as soon as they are there.
CREATE SCHEMA IF NOT EXISTS phasegate AUTHORIZATION {owner};
GRANT USAGE ON SCHEMA phasegate TO {gate};
GRANT SELECT ON ALL TABLES IN SCHEMA phasegate TO {gate};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA phasegate GRANT SELECT ON TABLES TO {gate};
",
        role = literal(role),
    );
    if !schemas.is_empty() {
        sql.push_str(
            "\n-- Enough to have statements prepared, which are never run. It reads no row of these schemas.\n",
        );
    }
    for schema in schemas {
        // Writing to a String cannot fail.
        let _ = writeln!(sql, "GRANT USAGE ON SCHEMA {} TO {gate};", name(schema));
    }
    let _ = write!(
        sql,
        "
-- For an integrity query, also: GRANT SELECT (...) ON ... TO {gate};
-- What PostgreSQL grants to everybody it grants to this role too. See whether you want these:
--   REVOKE CREATE ON SCHEMA public FROM PUBLIC;          -- granted by default before PostgreSQL 15
--   REVOKE TEMPORARY ON DATABASE {on} FROM PUBLIC;
"
    );
    sql
}

fn mysql(wanted: &GateRole) -> String {
    let GateRole { engine, role, runner: _, database, schemas: _ } = wanted;
    let account = format!("'{}'@'%'", role.replace('\\', "\\\\").replace('\'', "''"));
    let on = quote(*engine, database);
    let mut sql = format!(
        "\
-- The gate's account for the database {on}: run this as an administrator. It may be run again.
-- Set the password with ALTER USER {account} IDENTIFIED BY '...'.
CREATE USER IF NOT EXISTS {account} ACCOUNT LOCK;
ALTER USER {account} WITH MAX_USER_CONNECTIONS 20;

-- The ledger. The runner makes its tables later, and they are readable as soon as they are there: a right to a table that
-- is not there yet can be given together with CREATE, which is taken back.
"
    );
    for table in TABLES {
        let table = quote(*engine, &format!("phasegate_{table}"));
        let _ = writeln!(
            sql,
            "GRANT CREATE, SELECT ON {on}.{table} TO {account};\nREVOKE CREATE ON {on}.{table} FROM {account};"
        );
    }
    let _ = write!(
        sql,
        "
-- Unlock it when it has a password.
-- ALTER USER {account} ACCOUNT UNLOCK;
"
    );
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(engine: Engine) -> GateRole {
        GateRole {
            engine,
            role: "customers_gate".to_owned(),
            runner: "customers_owner".to_owned(),
            database: "customers".to_owned(),
            schemas: vec!["public".to_owned(), "Shop".to_owned()],
        }
    }

    #[test]
    fn the_sql_is_read_by_people() {
        insta::assert_snapshot!(gate_role(&role(Engine::Postgres)).unwrap());
        insta::assert_snapshot!("on_mariadb", gate_role(&role(Engine::Mariadb)).unwrap());
    }

    #[test]
    fn no_name_ends_its_quotes() {
        let mut odd = role(Engine::Postgres);
        odd.role = "a\"; DROP ROLE b; --'".to_owned();
        let sql = gate_role(&odd).unwrap();
        assert!(sql.contains("rolname = 'a\"; DROP ROLE b; --'''"), "{sql}");
        assert!(sql.contains("ALTER ROLE \"a\"\"; DROP ROLE b; --'\" NOSUPERUSER"), "{sql}");
        for bad in ["", "a\nb", &"a".repeat(64)] {
            let mut bad_role = role(Engine::Postgres);
            bad_role.database = bad.to_owned();
            assert!(gate_role(&bad_role).unwrap_err().to_string().contains("cannot be the name of a database"));
        }
        assert!(gate_role(&role(Engine::Sqlite)).unwrap_err().to_string().contains("sqlite has no roles"));
    }
}
