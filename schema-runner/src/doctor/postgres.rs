//! PostgreSQL: rights, replication, triggers, views, and what else it keeps in its catalog.

use phase_ledger::{Row, Session};
use schema_changes::Engine;

use super::{Finding, Patient, Severity, ask, int, quoted, report, text};
use crate::halt::Halt;

const DATABASE: &str = include_str!("../sql/doctor/postgres_database.sql");
const TABLE: &str = include_str!("../sql/doctor/postgres_table.sql");
const PUBLISHED: &str = include_str!("../sql/doctor/postgres_published.sql");
const TRIGGERS: &str = include_str!("../sql/doctor/postgres_triggers.sql");
const DEPENDENTS: &str = include_str!("../sql/doctor/postgres_dependents.sql");
const OLD_TRANSACTIONS: &str = include_str!("../sql/doctor/postgres_transactions.sql");
const COLUMNS: &str = include_str!("../sql/doctor/postgres_collations.sql");
const HAS_STATEMENTS: &str =
    "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('pg_stat_statements')";
const STAR: &str = include_str!("../sql/doctor/postgres_star.sql");
const BYTES: &str = "SELECT pg_catalog.pg_total_relation_size(pg_catalog.to_regclass($1))";

fn finding(severity: Severity, check: &'static str, about: &str, what: String, remedy: &str) -> Finding {
    Finding { severity, check, about: about.to_owned(), what, remedy: remedy.to_owned() }
}

pub(super) async fn bytes(session: &mut dyn Session, table: &str) -> Result<u64, Halt> {
    let rows = ask(session, BYTES, &[&quoted(Engine::Postgres, table)]).await?;
    Ok(rows.first().and_then(|row| u64::try_from(int(row, 0)).ok()).unwrap_or_default())
}

pub(super) async fn of_the_database(session: &mut dyn Session) -> Result<Vec<Finding>, Halt> {
    use Severity::{Blocker, Warning};
    let mut found = Vec::new();
    let rows = ask(session, DATABASE, &[]).await?;
    let Some(row) = rows.first() else { return Ok(found) };
    let role = text(row, 0);
    let mut add = |severity, check, what: String, remedy: String| {
        found.push(finding(severity, check, "the database", what, &remedy));
    };
    if int(row, 1) != 0 {
        add(Blocker, "standby", "it is a standby".into(), "use the primary's address".into());
    }
    if int(row, 2) == 0 {
        add(
            Blocker,
            "ledger_rights",
            format!("the role {role} may not make the ledger: there is no schema phasegate, and it may not create one"),
            format!("CREATE SCHEMA phasegate AUTHORIZATION \"{role}\", as somebody who may"),
        );
    }
    if int(row, 3) == 0 {
        add(
            Blocker,
            "ledger_rights",
            format!("the role {role} may not write the ledger in the schema phasegate"),
            "run as the role that made it, or make it the owner of the schema and its tables".into(),
        );
    }
    let replication_role = text(row, 4);
    if replication_role != "origin" {
        add(
            Blocker,
            "replication_role",
            format!("session_replication_role is {replication_role}, so that no trigger fires"),
            format!("ALTER ROLE \"{role}\" RESET session_replication_role"),
        );
    }
    if int(row, 5) == 0 {
        add(
            Warning,
            "autovacuum",
            "autovacuum is off, and a backfill leaves a dead row for each row it fills".into(),
            "turn it on, or plan a VACUUM for each quarter of a large table".into(),
        );
    }
    Ok(found)
}

pub(super) async fn of_a_change(session: &mut dyn Session, patient: &Patient<'_>) -> Result<Vec<Finding>, Halt> {
    let mut found = Vec::new();
    for table in patient.catalog.keys() {
        let quoted = quoted(Engine::Postgres, table);
        if let Some(row) = ask(session, TABLE, &[&quoted]).await?.first() {
            found.extend(of_a_table(table, row, !patient.goes.is_empty()));
        }
        let published = ask(session, PUBLISHED, &[&quoted]).await?;
        found.extend(published.iter().map(|row| publication(table, row)));
        let triggers = ask(session, TRIGGERS, &[&quoted]).await?;
        let converts = !patient.goes.is_empty();
        found.extend(triggers.iter().map(|row| trigger(table, row, converts)));
        let sessions = ask(session, OLD_TRANSACTIONS, &[&quoted]).await?;
        found.extend(sessions.iter().map(|row| {
            finding(
                Severity::Warning,
                "long_transaction",
                table,
                format!("{} has had it open for {} s, and would make a short lock wait", text(row, 0), int(row, 1)),
                "let it end first, or give --lock-patience more time",
            )
        }));
        found.extend(stars(session, table).await?);
    }
    for (table, column) in &patient.goes {
        let binds = [quoted(Engine::Postgres, table), column.clone()];
        let binds = [binds[0].as_str(), binds[1].as_str()];
        let severity = if patient.contracts { Severity::Blocker } else { Severity::Warning };
        let dependents = ask(session, DEPENDENTS, &binds).await?;
        found.extend(dependents.iter().map(|row| {
            let what = format!(
                "{} depends on {table}.{column}, which the contract of {} takes away",
                text(row, 0),
                patient.change.profile.name
            );
            finding(
                severity,
                "dependent",
                table,
                what,
                "change it to the new columns first: PostgreSQL drops no column that something else needs",
            )
        }));
        let collations = ask(session, COLUMNS, &binds).await?;
        found.extend(collations.iter().map(|row| {
            let what = format!("{table}.{column} {}", text(row, 0));
            finding(
                Severity::Note,
                "collation",
                table,
                what,
                "nothing to do: the triggers and the verification compare bytes",
            )
        }));
    }
    Ok(found)
}

fn of_a_table(table: &str, row: &Row, converts: bool) -> Vec<Finding> {
    use Severity::{Blocker, Warning};
    let (role, owner, schema) = (text(row, 0), text(row, 1), text(row, 3));
    let mut found = Vec::new();
    let mut add = |severity, check, what: String, remedy: String| {
        found.push(finding(severity, check, table, what, &remedy));
    };
    if int(row, 2) == 0 {
        add(
            Blocker,
            "not_owner",
            format!("the role {role} may not alter it: it belongs to {owner}"),
            format!("GRANT \"{owner}\" TO \"{role}\", or use the owner's address for the runner"),
        );
    }
    if int(row, 4) == 0 {
        add(
            if converts { Blocker } else { Warning },
            "no_function",
            format!("the role {role} may not create the trigger's function in the schema {schema}"),
            format!("GRANT CREATE ON SCHEMA \"{schema}\" TO \"{role}\""),
        );
    }
    if int(row, 5) != 0 {
        add(
            Blocker,
            "row_security",
            "row level security is forced on its owner too, so that rows may be invisible to the backfill and to the verification".into(),
            format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, or a runner's role with BYPASSRLS"),
        );
    }
    if int(row, 6) != 0 {
        add(
            Blocker,
            "subscriber",
            "rows arrive in it by logical replication, and fire no ordinary trigger".into(),
            "change the publishing side first, and leave this side to replication; a sync here would miss these rows"
                .into(),
        );
    }
    if int(row, 7) != 0 {
        add(
            Warning,
            "autovacuum",
            "autovacuum is off for it, and a backfill leaves a dead row for each row it fills".into(),
            format!("ALTER TABLE {table} RESET (autovacuum_enabled)"),
        );
    }
    let grows = u64::try_from(int(row, 8)).unwrap_or_default();
    if grows > 1 << 30 {
        add(
            Warning,
            "disk",
            format!(
                "filling every row writes each once more: up to {} until VACUUM makes room again",
                report::bytes(grows)
            ),
            "see that the disk has this much free, and the same again for WAL if it is archived".into(),
        );
    }
    found
}

fn publication(table: &str, row: &Row) -> Finding {
    let name = text(row, 0);
    if int(row, 2) != 0 {
        return finding(
            Severity::Blocker,
            "replica_identity",
            table,
            format!("the publication {name} publishes its updates, and it has no replica identity: every UPDATE fails"),
            "give it a primary key, or ALTER TABLE .. REPLICA IDENTITY",
        );
    }
    if int(row, 1) != 0 {
        return finding(
            Severity::Warning,
            "publication_columns",
            table,
            format!("the publication {name} publishes some of its columns only, and will not publish new ones"),
            "add the new columns to its list once they are there",
        );
    }
    finding(
        Severity::Warning,
        "publication",
        table,
        format!(
            "the publication {name} publishes it: a subscription stops at the first row with a column it does not have"
        ),
        "add the new columns at the subscribers first",
    )
}

fn trigger(table: &str, row: &Row, converts: bool) -> Finding {
    let name = text(row, 0);
    if int(row, 1) != 0 && converts {
        return finding(
            Severity::Blocker,
            "trigger_order",
            table,
            format!("the trigger {name} runs after those of Phasegate: what it changes in a row goes unsynced"),
            "rename it, so that it sorts before zzz_phasegate",
        );
    }
    finding(
        Severity::Note,
        "trigger",
        table,
        format!("the trigger {name} runs for each row that a backfill writes"),
        "see that it does nothing that should happen once only, a message or a timestamp",
    )
}

/// Statements that a new column breaks when they are prepared; told only where the server keeps statistics of them.
async fn stars(session: &mut dyn Session, table: &str) -> Result<Vec<Finding>, Halt> {
    let there = ask(session, HAS_STATEMENTS, &[]).await?;
    if there.first().is_none_or(|row| int(row, 0) == 0) {
        return Ok(Vec::new());
    }
    let name = table.rsplit('.').next().unwrap_or(table);
    // It may be there and not loaded.
    let rows = match ask(session, STAR, &[name]).await {
        Ok(rows) => rows,
        Err(Halt::Failed(_)) => return Ok(Vec::new()),
        Err(other) => return Err(other),
    };
    Ok(rows
        .iter()
        .map(|row| {
            finding(
                Severity::Warning,
                "select_star",
                table,
                format!(
                    "somebody runs `{}` ({} times so far): prepared, it fails once when a column is added or goes",
                    text(row, 0),
                    int(row, 1)
                ),
                "name the columns, or see that the driver prepares again",
            )
        })
        .collect())
}
