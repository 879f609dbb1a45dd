//! What goes on naming a column after MariaDB and MySQL dropped it: these servers keep views and triggers as text, drop the
//! column all the same, and from then on each use of the view and each write of the table fails.

use phase_ledger::Session;

use super::{Finding, Patient, Severity, mysql::about, text};
use crate::halt::Halt;

const VIEWS: &str = "SELECT v.table_name, v.view_definition FROM information_schema.views v \
                     WHERE v.table_schema = COALESCE(?, DATABASE()) AND LOCATE(CONCAT('`', ?, '`'), v.view_definition) > 0 \
                     ORDER BY v.table_name";
const BODIES: &str = "SELECT t.trigger_name, t.action_statement FROM information_schema.triggers t \
                      WHERE t.event_object_schema = COALESCE(?, DATABASE()) AND t.event_object_table = ? \
                      AND t.trigger_name NOT LIKE 'zzz\\_phasegate\\_%' ORDER BY t.trigger_name";

pub(super) async fn dependents(session: &mut dyn Session, patient: &Patient<'_>) -> Result<Vec<Finding>, Halt> {
    let severity = if patient.contracts { Severity::Blocker } else { Severity::Warning };
    let mut found = Vec::new();
    for (table, column) in &patient.goes {
        let change = &patient.change.profile.name;
        let mut add = |what: String, then: &str| {
            found.push(Finding {
                severity,
                check: "dependent",
                about: table.clone(),
                what: format!("{what} names {table}.{column}, which the contract of {change} takes away"),
                remedy: format!("change it to the new columns first: {then}"),
            });
        };
        for row in about(session, VIEWS, table).await? {
            if view_names(&text(&row, 1), table, column) {
                add(
                    format!("the view {}", text(&row, 0)),
                    "the server drops the column, and the view fails from then on",
                );
            }
        }
        for row in about(session, BODIES, table).await? {
            if trigger_names(&text(&row, 1), column) {
                let then = "the server drops the column, and every write of the table fails from then on";
                add(format!("the trigger {}", text(&row, 0)), then);
            }
        }
    }
    Ok(found)
}

/// Whether the definition of a view, as the server keeps it (every name quoted, every column behind its table or the
/// table's alias), names the column.
fn view_names(definition: &str, table: &str, column: &str) -> bool {
    let name = table.rsplit('.').next().unwrap_or(table);
    let quoted = format!("`{name}`");
    let aliases = definition.match_indices(&quoted).filter_map(|(at, _)| {
        let behind = definition.get(at.saturating_add(quoted.len())..)?.strip_prefix(" `")?;
        behind.split('`').next()
    });
    std::iter::once(name).chain(aliases).any(|alias| {
        let wanted = format!("`{alias}`.`{column}`").to_lowercase();
        definition.to_lowercase().contains(&wanted)
    })
}

/// Whether the body of a trigger reads or writes the column of its row.
fn trigger_names(body: &str, column: &str) -> bool {
    let body: String = body.to_lowercase().chars().filter(|c| !c.is_whitespace() && *c != '`').collect();
    let column = column.to_lowercase();
    ["new.", "old."].iter().any(|row| {
        let wanted = format!("{row}{column}");
        body.match_indices(&wanted).any(|(at, _)| {
            let next = body.get(at.saturating_add(wanted.len())..).and_then(|rest| rest.chars().next());
            // Without its blanks a keyword may follow at once: told too often rather than never.
            next.is_none_or(|next| !(next.is_ascii_digit() || next == '_' || next == '$'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_names_a_column_by_its_table_or_an_alias() {
        let plain = "select `d`.`customers`.`id` AS `id`,`d`.`customers`.`full_name` AS `n` from `d`.`customers`";
        let alias = "select `c`.`full_name` AS `n` from (`d`.`customers` `c` join `d`.`orders` `o`)";
        let other = "select `o`.`full_name` AS `n` from (`d`.`customers` `c` join `d`.`orders` `o`)";
        for (definition, names) in [(plain, true), (alias, true), (other, false), ("", false)] {
            assert_eq!(view_names(definition, "customers", "full_name"), names, "{definition}");
        }
        assert!(view_names(plain, "d.customers", "FULL_NAME"));
    }

    #[test]
    fn a_trigger_names_a_column_of_its_row() {
        for (body, names) in [
            ("SET NEW.city = upper( NEW.`full_name` )", true),
            ("INSERT INTO audit VALUES (old . Full_Name)", true),
            ("INSERT INTO audit (full_name) VALUES (NEW.id)", false),
            ("SET NEW.full_name_2 = 1", false),
        ] {
            assert_eq!(trigger_names(body, "full_name"), names, "{body}");
        }
    }
}
