//! SQLite: triggers cannot assign NEW, so they update the row afterwards, and must end by themselves.

use crate::{
    SyncObject, TableFacts,
    dialect::{Dialect, Made, all_null, any_set, assignments, literal, sqlite_table},
    refactoring::{Site, mapping::Mapping},
};

const DIALECT: Dialect = Dialect::Sqlite;

/// One trigger: name suffix, when it fires, under which condition, what it does.
pub(crate) struct Trigger {
    pub(crate) suffix: &'static str,
    pub(crate) event: String,
    pub(crate) when: String,
    pub(crate) actions: Vec<String>,
}

/// The statements that make and drop these triggers.
pub(crate) fn triggers(site: &Site<'_>, table: &str, triggers: Vec<Trigger>) -> Made {
    let mut made = Made::default();
    for Trigger { suffix, event, when, actions } in triggers {
        let name = site.object_name(suffix);
        let actions: String = actions.iter().map(|action| format!("\n  {action};")).collect();
        let definition = format!(
            "CREATE TRIGGER {} {event} ON {} FOR EACH ROW\nWHEN {when}\nBEGIN\n  -- {}{actions}\nEND",
            DIALECT.quote(&name),
            DIALECT.quote(table),
            site.comment(),
        );
        let present = format!(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name = {} AND tbl_name = {} AND sql = {}",
            literal(&name),
            literal(table),
            literal(&definition),
        );
        made.drop.push(format!("DROP TRIGGER IF EXISTS {}", DIALECT.quote(&name)));
        made.create.push(definition.clone());
        made.objects.push(SyncObject { table: table.to_owned(), name, definition, present });
    }
    made
}

/// What finds the row that fired a trigger.
pub(crate) fn this_row(facts: &TableFacts) -> String {
    let rowid = ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|name| !facts.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)))
        .filter(|_| !facts.definition.as_deref().is_some_and(sqlite_table::is_without_rowid));
    if let Some(rowid) = rowid {
        return format!("{rowid} = NEW.{rowid}");
    }
    let key = facts.primary_key.iter().map(|column| DIALECT.quote(column));
    key.map(|column| format!("{column} = NEW.{column}")).collect::<Vec<_>>().join(" AND ")
}

/// The triggers that keep both shapes of a mapping equal: insert and update, in both directions.
///
/// An update made here fires the trigger of the other direction. That one finds that the shapes agree, by `f` or by
/// `b`, and does nothing, whatever `recursive_triggers` says.
pub(crate) fn sync(site: &Site<'_>, mapping: &Mapping<'_>) -> Made {
    let table = DIALECT.quote(mapping.table);
    let row = this_row(mapping.facts);
    let (old, new) = (mapping.old_of(""), mapping.new_of(""));
    let (old_now, new_now) = (mapping.old_of("NEW."), mapping.new_of("NEW."));
    let (old_before, new_before) = (mapping.old_of("OLD."), mapping.new_of("OLD."));
    let disagree = DIALECT.differ(&new_now, &mapping.forward(&old_now));
    let never_filled = |old: &str, new: &[String]| {
        let differs = DIALECT.differ(&[old.to_owned()], &[mapping.backward(new)]);
        format!("{} AND {differs}", all_null(new))
    };
    let new_changed = DIALECT.differ(&new_before, &new_now);
    let old_changed = DIALECT.differ(std::slice::from_ref(&old_before), std::slice::from_ref(&old_now));
    let not_back = DIALECT.differ(std::slice::from_ref(&old_now), &[mapping.backward(&new_now)]);
    let blank = if mapping.fills_blank() { format!(" OR {old_now} IS NULL") } else { String::new() };

    let to_new = format!("UPDATE {table} SET {} WHERE {row}", assignments(&new, &mapping.forward(&old)));
    let to_old = format!("UPDATE {table} SET {old} = {} WHERE {row}", mapping.backward(&new));
    let disagree_still = DIALECT.differ(&new, &mapping.forward(&old));
    let filled: Vec<String> = new
        .iter()
        .zip(mapping.forward(&old_before))
        .map(|(column, value)| format!("coalesce({column}, {value})"))
        .collect();
    let fill = format!(
        "UPDATE {table} SET {} WHERE {row} AND {}",
        assignments(&new, &filled),
        never_filled(&old_before, &new_before)
    );
    let key = |row: &str| DIALECT.quote_all(row, mapping.facts.primary_key.iter().map(String::as_str));
    let key_moved = DIALECT.differ(&key("OLD."), &key("NEW."));
    let mut old_and_key = vec![old.clone()];
    old_and_key.extend(key(""));

    let mut all = guards(mapping);
    all.extend([
        Trigger {
            suffix: "_in",
            event: "AFTER INSERT".into(),
            when: format!("(({}) AND {disagree}){blank}", any_set(&new_now)),
            actions: vec![to_old.clone()],
        },
        Trigger {
            suffix: "_io",
            event: "AFTER INSERT".into(),
            when: format!("{} AND {disagree}", all_null(&new_now)),
            actions: vec![to_new.clone()],
        },
        Trigger {
            suffix: "_un",
            event: format!("AFTER UPDATE OF {}", new.join(", ")),
            when: format!("{new_changed} AND {disagree}"),
            actions: vec![fill, format!("{to_old} AND {disagree_still}")],
        },
        Trigger {
            suffix: "_uo",
            event: format!("AFTER UPDATE OF {}", old_and_key.join(", ")),
            when: format!(
                "NOT ({new_changed}) AND {disagree} AND {not_back}\n  AND ({old_changed} OR ({key_moved} AND {}))",
                all_null(&new_now)
            ),
            actions: vec![to_new],
        },
    ]);
    triggers(site, mapping.table, all)
}

/// What the old column's NOT NULL forbade stays forbidden while it is set aside: a row without any old value.
fn guards(mapping: &Mapping<'_>) -> Vec<Trigger> {
    if !mapping.old.required {
        return Vec::new();
    }
    let (old, new) = (mapping.old_of("NEW."), mapping.new_of("NEW."));
    let message = literal(&format!("NOT NULL constraint failed: {}.{}", mapping.table, mapping.old.declared));
    let abort = format!("SELECT RAISE(ABORT, {message})");
    let mut watched = vec![mapping.old_of("")];
    watched.extend(mapping.new_of(""));
    let changed = DIALECT.differ(&mapping.new_of("OLD."), &new);
    let mut all = vec![Trigger {
        suffix: "_gu",
        event: format!("BEFORE UPDATE OF {}", watched.join(", ")),
        when: format!("{old} IS NULL AND (NOT ({changed}) OR ({}))", all_null(&new)),
        actions: vec![abort.clone()],
    }];
    if !mapping.fills_blank() {
        all.push(Trigger {
            suffix: "_gi",
            event: "BEFORE INSERT".into(),
            when: format!("{old} IS NULL AND {}", all_null(&new)),
            actions: vec![abort],
        });
    }
    all
}

/// Replaces the stored definition of a table.
///
/// SQLite has no ALTER COLUMN. Its documentation of ALTER TABLE gives this way for constraints and defaults that do not
/// touch the rows. Rebuilding the table instead would delete through foreign keys, and lose what refers to it. A
/// statement that alters the schema must follow in the same transaction, so that other connections read it again.
pub(crate) fn redefine(table: &str, from: &str, to: &str) -> Vec<String> {
    let place = format!("type = 'table' AND name = {}", literal(table));
    vec![
        "PRAGMA writable_schema = ON".into(),
        format!("UPDATE sqlite_schema SET sql = {} WHERE {place} AND sql = {}", literal(to), literal(from)),
        fail_when(
            &format!("NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE {place} AND sql = {})", literal(to)),
            &format!("{table} was altered meanwhile"),
        ),
        "PRAGMA writable_schema = RESET".into(),
    ]
}

/// A statement that fails when the condition holds: outside of a trigger, SQLite has no RAISE.
pub(crate) fn fail_when(condition: &str, message: &str) -> String {
    format!("SELECT json({}) WHERE {condition}", literal(&format!("phasegate: {message}")))
}
