//! SQLite: one file, one writer, and a schema that is read as a whole whenever it is altered.

use phase_ledger::Session;

use super::{Finding, Patient, Severity, ask, int, text};
use crate::halt::Halt;

const BYTES: &str = "SELECT s.page_size * c.page_count FROM pragma_page_size AS s, pragma_page_count AS c";
const JOURNAL: &str = "SELECT journal_mode FROM pragma_journal_mode";
const VIEWS: &str = "SELECT name, sql FROM sqlite_schema WHERE type = 'view' ORDER BY name";
const TRIGGERS: &str = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE \
                        AND name NOT GLOB 'zzz_phasegate_*' ORDER BY name";

pub(super) async fn bytes(session: &mut dyn Session) -> Result<u64, Halt> {
    let rows = ask(session, BYTES, &[]).await?;
    Ok(rows.first().and_then(|row| u64::try_from(int(row, 0)).ok()).unwrap_or_default())
}

pub(super) async fn of_the_database(session: &mut dyn Session) -> Result<Vec<Finding>, Halt> {
    let mut found = Vec::new();
    let mode = ask(session, JOURNAL, &[]).await?.first().map(|row| text(row, 0)).unwrap_or_default();
    if !mode.is_empty() && mode != "wal" {
        found.push(Finding {
            severity: Severity::Warning,
            check: "journal_mode",
            about: "the database".into(),
            what: format!("its journal mode is {mode}, in which a reader stops every writer"),
            remedy: "PRAGMA journal_mode = wal".into(),
        });
    }
    for view in ask(session, VIEWS, &[]).await? {
        let name = text(&view, 0);
        let probe = format!("SELECT 1 FROM \"{}\" LIMIT 0", name.replace('"', "\"\""));
        match ask(session, &probe, &[]).await {
            Ok(_) => {}
            Err(Halt::Failed(cause)) => found.push(Finding {
                severity: Severity::Blocker,
                check: "broken_view",
                about: format!("the view {name}"),
                what: format!(
                    "it is broken, and no column of any table can be dropped or renamed while it is: {}",
                    crate::halt::chain(&cause)
                ),
                remedy: "mend it, or drop it".into(),
            }),
            Err(other) => return Err(other),
        }
    }
    Ok(found)
}

pub(super) async fn of_a_change(session: &mut dyn Session, patient: &Patient<'_>) -> Result<Vec<Finding>, Halt> {
    let mut found = Vec::new();
    for table in patient.catalog.keys() {
        for row in ask(session, TRIGGERS, &[table]).await? {
            found.push(Finding {
                severity: Severity::Note,
                check: "trigger",
                about: table.clone(),
                what: format!("the trigger {} runs for each row that a backfill writes", text(&row, 0)),
                remedy: "see that it does nothing that should happen once only".into(),
            });
        }
    }
    for (table, column) in &patient.goes {
        for view in ask(session, VIEWS, &[]).await? {
            let (name, sql) = (text(&view, 0), text(&view, 1));
            if mentions(&sql, table) && mentions(&sql, column) {
                found.push(Finding {
                    severity: if patient.contracts { Severity::Blocker } else { Severity::Warning },
                    check: "dependent",
                    about: table.clone(),
                    what: format!(
                        "the view {name} uses {table}.{column}, which the contract of {} takes away",
                        patient.change.profile.name
                    ),
                    remedy: "change it to the new columns first: SQLite drops no column that a view needs".into(),
                });
            }
        }
    }
    Ok(found)
}

/// Whether a name stands in the text of a view, as a word.
fn mentions(sql: &str, name: &str) -> bool {
    sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word.eq_ignore_ascii_case(name))
}
