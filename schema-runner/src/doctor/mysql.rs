//! MariaDB and MySQL: who may make triggers, how changes reach replicas, and tables that cannot be changed in peace.

use phase_ledger::Session;
use schema_phases::Conversion;

use super::{Finding, Patient, Severity, ask, int, mysql_dependents::dependents, text};
use crate::{halt::Halt, sessions::MYSQL_SEES};

const BYTES: &str = "SELECT CAST(t.data_length + t.index_length AS UNSIGNED) FROM information_schema.tables t \
                     WHERE t.table_schema = COALESCE(?, DATABASE()) AND t.table_name = ?";
// No aggregate beside these: MariaDB 10.11.19 then says that @@log_bin is 0.
const SETTINGS: &str = "SELECT CAST(@@global.log_bin AS CHAR), CAST(@@global.log_bin_trust_function_creators AS CHAR), \
                        @@global.binlog_format";
const GRANTS: &str = "SHOW GRANTS FOR CURRENT_USER()";
const ENGINE: &str = "SELECT t.engine FROM information_schema.tables t \
                      WHERE t.table_schema = COALESCE(?, DATABASE()) AND t.table_name = ?";
const TRIGGERS: &str = "SELECT t.trigger_name FROM information_schema.triggers t \
                        WHERE t.event_object_schema = COALESCE(?, DATABASE()) AND t.event_object_table = ? \
                        AND t.trigger_name NOT LIKE 'zzz\\_phasegate\\_%' ORDER BY t.trigger_name";

pub(super) async fn bytes(session: &mut dyn Session, table: &str) -> Result<u64, Halt> {
    let rows = about(session, BYTES, table).await?;
    Ok(rows.first().and_then(|row| u64::try_from(int(row, 0)).ok()).unwrap_or_default())
}

/// A query about a table; `?` twice, for its schema and its name.
pub(super) async fn about(session: &mut dyn Session, sql: &str, table: &str) -> Result<Vec<phase_ledger::Row>, Halt> {
    match table.split_once('.') {
        Some((schema, name)) => ask(session, sql, &[schema, name]).await,
        None => ask(session, &sql.replacen("COALESCE(?, DATABASE())", "DATABASE()", 1), &[table]).await,
    }
}

pub(super) async fn of_the_database(session: &mut dyn Session) -> Result<Vec<Finding>, Halt> {
    let rows = ask(session, SETTINGS, &[]).await?;
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    if text(row, 0) != "0" && text(row, 2) == "STATEMENT" {
        found.push(Finding {
            severity: Severity::Blocker,
            check: "binlog_format",
            about: "the server".into(),
            what: "binlog_format is STATEMENT, with which no transaction that is READ COMMITTED can write".into(),
            remedy: "set it to ROW or MIXED".into(),
        });
    }
    if !sees_sessions(session).await? {
        found.push(Finding {
            severity: Severity::Warning,
            check: "sessions",
            about: "the runner's user".into(),
            what: "it may not see who else is connected, so in a cluster no contract is decided".into(),
            remedy: "GRANT PROCESS ON *.* to the runner's user".into(),
        });
    }
    Ok(found)
}

/// A contract asks who else is connected.
async fn sees_sessions(session: &mut dyn Session) -> Result<bool, Halt> {
    Ok(ask(session, MYSQL_SEES, &[]).await?.first().is_some_and(|row| int(row, 0) > 0))
}

pub(super) async fn of_a_change(session: &mut dyn Session, patient: &Patient<'_>) -> Result<Vec<Finding>, Halt> {
    let mut found = Vec::new();
    if patient.change.profile.conversion == Conversion::Rows && !may_make_triggers(session).await? {
        found.push(Finding {
            severity: Severity::Blocker,
            check: "triggers",
            about: "the runner's user".into(),
            what: "the server writes a binary log and trusts nobody without SUPER to make triggers".into(),
            remedy: "SET GLOBAL log_bin_trust_function_creators = 1, or grant the runner's user SUPER".into(),
        });
    }
    for table in patient.catalog.keys() {
        let engine = about(session, ENGINE, table).await?.first().map(|row| text(row, 0)).unwrap_or_default();
        if !engine.is_empty() && !engine.eq_ignore_ascii_case("innodb") {
            found.push(Finding {
                severity: Severity::Blocker,
                check: "storage_engine",
                about: table.clone(),
                what: format!("its storage engine is {engine}, which has no transactions: a fence does not hold there"),
                remedy: format!("ALTER TABLE {table} ENGINE = InnoDB"),
            });
        }
        for row in about(session, TRIGGERS, table).await? {
            found.push(Finding {
                severity: Severity::Note,
                check: "trigger",
                about: table.clone(),
                what: format!("the trigger {} runs for each row that a backfill writes", text(&row, 0)),
                remedy: "see that it may".into(),
            });
        }
    }
    found.extend(dependents(session, patient).await?);
    Ok(found)
}

async fn may_make_triggers(session: &mut dyn Session) -> Result<bool, Halt> {
    let rows = ask(session, SETTINGS, &[]).await?;
    let Some(row) = rows.first() else { return Ok(true) };
    if text(row, 0) == "0" || text(row, 1) != "0" {
        return Ok(true);
    }
    // Rights by way of a role are not listed: the server has the last word, and no doubt may stop a change.
    let grants = ask(session, GRANTS, &[]).await?;
    let everywhere = |grant: &String| grant.contains(" ON *.* ");
    let grants: Vec<String> = grants.iter().map(|row| text(row, 0).to_uppercase()).collect();
    let enough = |grant: &String| ["SUPER", "ALL PRIVILEGES", "SET_USER_ID"].iter().any(|word| grant.contains(word));
    let has_role = grants.iter().any(|grant| !grant.contains(" ON "));
    Ok(has_role || grants.iter().filter(|grant| everywhere(grant)).any(enough))
}
