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
    /// The name of an account made from it would be too long.
    #[error(
        "`{role}` is too long for MySQL, which needs another account named after it; use at most {most} characters"
    )]
    Account {
        /// The name.
        role: String,
        /// How many characters it may have.
        most: usize,
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
    // MySQL has the shorter names.
    let lender = role.chars().count().saturating_add(LENDER.len());
    if *engine == Engine::Mysql && lender > 32 {
        return Err(NoRole::Account { role: role.clone(), most: 32_usize.saturating_sub(LENDER.len()) });
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

/// Grants for a whole database take its name as a pattern.
fn pattern(name: &str) -> String {
    name.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%")
}

/// MariaDB and MySQL ask whoever prepares a statement for the rights to run it: an account that nobody can log in as has
/// those, and lends them to nothing but two procedures.
fn mysql(wanted: &GateRole) -> String {
    let GateRole { engine, role, runner: _, database, schemas: _ } = wanted;
    let escaped = |name: &str| name.replace('\\', "\\\\").replace('\'', "''");
    let (account, lender) = (format!("'{}'@'%'", escaped(role)), format!("'{}{LENDER}'@'localhost'", escaped(role)));
    let on = quote(*engine, database);
    let all = quote(*engine, &pattern(database));
    let mut sql = format!(
        "\
-- The gate's account for the database {on}: run this as an administrator, with the server's own client (`mariadb`,
-- `mysql`), which knows DELIMITER. It may be run again. Set the password with ALTER USER {account} IDENTIFIED BY '...'.
SET NAMES utf8mb4;
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
-- Enough to have statements prepared, which are never run. Preparing takes the rights of running here. This account has
-- them, nobody can log in as it, and it runs two procedures. It may not run stored functions: a server may work one out
-- while it prepares. Their statements read as the server's own sql_mode has it.
SET SESSION sql_mode = @@global.sql_mode;
CREATE USER IF NOT EXISTS {lender} ACCOUNT LOCK;
ALTER USER {lender} ACCOUNT LOCK;
GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON {all}.* TO {lender};
DELIMITER $$
"
    );
    let prepares = "  PREPARE phasegate_told FROM told;\n  DEALLOCATE PREPARE phasegate_told;\n";
    // MySQL prepares what stands in a variable of the session, and nothing else.
    let prepares_mysql = "  SET @phasegate_told = told;\n  PREPARE phasegate_told FROM @phasegate_told;\n  \
                          DEALLOCATE PREPARE phasegate_told;\n  SET @phasegate_told = NULL;\n";
    let anew = |name: &str| match engine {
        Engine::Mysql => {
            format!("DROP PROCEDURE IF EXISTS {on}.{name}$$\nCREATE DEFINER = {lender} PROCEDURE {on}.{name}")
        }
        Engine::Postgres | Engine::Mariadb | Engine::Sqlite => {
            format!("CREATE OR REPLACE DEFINER = {lender} PROCEDURE {on}.{name}")
        }
    };
    let body = if *engine == Engine::Mysql { prepares_mysql } else { prepares };
    let _ = write!(
        sql,
        "\
{prepare}(IN told LONGTEXT CHARACTER SET utf8mb4)
  SQL SECURITY DEFINER
  COMMENT 'Prepares a statement and forgets it'
BEGIN
{body}END$$
{required}(IN of_schema VARCHAR(64) CHARACTER SET utf8mb4, IN of_table VARCHAR(64) CHARACTER SET utf8mb4)
  SQL SECURITY DEFINER
  READS SQL DATA
  COMMENT 'The columns that an INSERT must name'
{COLUMNS}$$
DELIMITER ;
",
        prepare = anew("phasegate_prepare"),
        required = anew("phasegate_required"),
    );
    for procedure in ["phasegate_prepare", "phasegate_required"] {
        for who in [&lender, &account] {
            let _ = writeln!(sql, "GRANT EXECUTE ON PROCEDURE {on}.{procedure} TO {who};");
        }
    }
    let _ = write!(
        sql,
        "
-- For an integrity query, also: GRANT SELECT (...) ON ... TO {account};
-- Unlock it when it has a password.
-- ALTER USER {account} ACCOUNT UNLOCK;
"
    );
    sql
}

/// What the account that lends its rights is called, after the gate's.
const LENDER: &str = "_probe";

/// NOT NULL, and neither a default nor a number nor an expression fills it; an ENUM takes its first value. Where a trigger
/// runs before each inserted row nothing is said: it may fill any column, as those that keep two shapes equal do.
const COLUMNS: &str = "\
SELECT c.column_name
  FROM information_schema.columns c
 WHERE c.table_schema = IFNULL(of_schema, DATABASE()) AND c.table_name = of_table
   AND (@@lower_case_table_names <> 0 OR CAST(c.table_name AS BINARY) = CAST(of_table AS BINARY))
   AND c.is_nullable = 'NO' AND c.column_default IS NULL AND c.data_type <> 'enum'
   AND IFNULL(c.generation_expression, '') = '' AND c.extra NOT LIKE '%auto_increment%'
   AND EXISTS (SELECT 1 FROM information_schema.tables t
                WHERE t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.table_type <> 'VIEW')
   AND NOT EXISTS (SELECT 1 FROM information_schema.triggers g
                    WHERE g.event_object_schema = c.table_schema AND g.event_object_table = c.table_name
                      AND g.action_timing = 'BEFORE' AND g.event_manipulation = 'INSERT')
 ORDER BY c.ordinal_position";

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
    fn on_mysql_a_procedure_is_made_anew_in_its_own_way() {
        let sql = gate_role(&role(Engine::Mysql)).unwrap();
        assert!(!sql.contains("OR REPLACE"), "{sql}");
        assert_eq!(sql.matches("DROP PROCEDURE IF EXISTS `customers`.").count(), 2, "{sql}");
        assert!(sql.contains("PREPARE phasegate_told FROM @phasegate_told;"), "{sql}");
        let mut long = role(Engine::Mysql);
        long.role = "r".repeat(27);
        assert!(gate_role(&long).unwrap_err().to_string().contains("at most 26 characters"));
        long.engine = Engine::Mariadb;
        gate_role(&long).unwrap();
    }

    #[test]
    fn no_name_ends_its_quotes() {
        let mut odd = role(Engine::Postgres);
        odd.role = "a\"; DROP ROLE b; --'".to_owned();
        let sql = gate_role(&odd).unwrap();
        assert!(sql.contains("rolname = 'a\"; DROP ROLE b; --'''"), "{sql}");
        assert!(sql.contains("ALTER ROLE \"a\"\"; DROP ROLE b; --'\" NOSUPERUSER"), "{sql}");
        odd.engine = Engine::Mariadb;
        odd.role = "a'; DROP USER b; \\".to_owned();
        odd.database = "a_`b%".to_owned();
        let sql = gate_role(&odd).unwrap();
        assert!(sql.contains(r"CREATE USER IF NOT EXISTS 'a''; DROP USER b; \\'@'%' ACCOUNT LOCK;"), "{sql}");
        assert!(sql.contains(r"DELETE, TRIGGER ON `a\_``b\%`.* TO 'a''; DROP USER b; \\_probe'@'localhost';"), "{sql}");
        for bad in ["", "a\nb", &"a".repeat(64)] {
            let mut bad_role = role(Engine::Postgres);
            bad_role.database = bad.to_owned();
            assert!(gate_role(&bad_role).unwrap_err().to_string().contains("cannot be the name of a database"));
        }
        assert!(gate_role(&role(Engine::Sqlite)).unwrap_err().to_string().contains("sqlite has no roles"));
    }
}
