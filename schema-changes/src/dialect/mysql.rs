//! MariaDB and MySQL: one DDL statement a step, each with the algorithms it may use; BEFORE triggers that convert.

use crate::{
    Alone, Refused, SyncObject,
    dialect::{Dialect, all_null, any_set, mysql_type, operand},
    refactoring::{Site, mapping::Mapping},
};

/// A string as an expression that means the same in every `sql_mode`, and that the catalog shows as it was written:
/// MariaDB shows escapes and character sets before a literal otherwise than they were.
pub(crate) fn literal(text: &str) -> String {
    let is_plain = |c: char| c != '\\' && !c.is_control();
    if text.chars().all(is_plain) {
        return crate::dialect::literal(text);
    }
    let mut parts: Vec<String> = Vec::new();
    let mut plain = String::new();
    for c in text.chars() {
        if is_plain(c) {
            plain.push(c);
            continue;
        }
        if !plain.is_empty() {
            parts.push(crate::dialect::literal(&std::mem::take(&mut plain)));
        }
        parts.push(format!("CHAR({} USING utf8mb4)", u32::from(c)));
    }
    if !plain.is_empty() {
        parts.push(crate::dialect::literal(&plain));
    }
    if parts.len() == 1 { parts.concat() } else { format!("CONCAT({})", parts.join(", ")) }
}

/// The text that a string literal stands for, as the engine reads it with its escapes.
pub(crate) fn unescaped(literal: &str) -> Option<String> {
    let mark = literal.chars().next()?;
    let inner = literal.get(1..literal.len().checked_sub(1)?)?;
    let mut text = String::new();
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        if c == mark {
            chars.next();
            text.push(mark);
        } else if c == '\\' {
            match chars.next()? {
                '0' => text.push('\0'),
                'b' => text.push('\u{8}'),
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                'Z' => text.push('\u{1a}'),
                // For LIKE, which looks at the backslash itself.
                other @ ('%' | '_') => text.extend(['\\', other]),
                other => text.push(other),
            }
        } else {
            text.push(c);
        }
    }
    Some(text)
}

/// Whether any of `left` differs from its counterpart in `right`: by bytes where the type has a collation, else as the
/// type compares; NULL equal to NULL.
pub(crate) fn differ(types: &[&str], left: &[String], right: &[String]) -> String {
    let each: Vec<String> = left
        .iter()
        .zip(right)
        .enumerate()
        .map(|(at, (a, b))| {
            let collated = types.get(at).is_none_or(|one| mysql_type::MysqlType::of(one).has_collation());
            if collated {
                format!("NOT ({} <=> {})", bytes(a), bytes(b))
            } else {
                format!("NOT ({} <=> {})", operand(a), operand(b))
            }
        })
        .collect();
    if each.len() == 1 { each.concat() } else { format!("({})", each.join(" OR ")) }
}

/// Two character sets write one text as different bytes.
fn bytes(value: &str) -> String {
    format!("CAST(CONVERT({value} USING utf8mb4) AS BINARY)")
}

/// Where a table is found in `information_schema`.
pub(crate) fn place(prefix: &str, table: &str) -> String {
    let (schema, name) = match table.split_once('.') {
        Some((schema, name)) => (literal(schema), name),
        None => ("DATABASE()".to_owned(), table),
    };
    format!("{prefix}_schema = {schema} AND {prefix}_name = {}", literal(name))
}

/// One ALTER TABLE, by the cheapest algorithm that the engine accepts; never by a copy, during which nobody can write.
pub(crate) fn alter(dialect: Dialect, what: String, table: &str, actions: &[String], present: Option<String>) -> Alone {
    let head = format!("ALTER TABLE {} {}", dialect.quote(table), actions.join(", "));
    // MySQL takes no LOCK clause beside ALGORITHM=INSTANT, and has no NOCOPY.
    let ways: &[&str] = if dialect == Dialect::Mariadb {
        &["ALGORITHM=INSTANT, LOCK=NONE", "ALGORITHM=NOCOPY, LOCK=NONE", "ALGORITHM=INPLACE, LOCK=NONE"]
    } else {
        &["ALGORITHM=INSTANT", "ALGORITHM=INPLACE, LOCK=NONE"]
    };
    let mut ways = ways.iter().map(|way| format!("{head}, {way}"));
    let statement = ways.next().unwrap_or_default();
    Alone { what, tables: vec![table.to_owned()], statement, otherwise: ways.collect(), present }
}

/// Columns of this change, added by one ALTER: names and what follows them.
pub(crate) fn add_columns(site: &Site<'_>, what: String, table: &str, columns: &[(String, String)]) -> Alone {
    let comment = literal(&site.comment());
    let actions: Vec<String> = columns
        .iter()
        .map(|(name, rest)| format!("ADD COLUMN {} {rest} COMMENT {comment}", site.dialect.quote(name)))
        .collect();
    let present = format!(
        "SELECT count(*) = {} FROM information_schema.columns WHERE {} AND column_name IN ({}) AND column_comment = {comment}",
        columns.len(),
        place("table", table),
        names(columns.iter().map(|(name, _)| name.as_str())),
    );
    alter(site.dialect, what, table, &actions, Some(present))
}

/// Columns dropped by one ALTER.
pub(crate) fn drop_columns(dialect: Dialect, what: String, table: &str, columns: &[&str]) -> Alone {
    let actions: Vec<String> = columns.iter().map(|name| format!("DROP COLUMN {}", dialect.quote(name))).collect();
    let present = format!(
        "SELECT count(*) = 0 FROM information_schema.columns WHERE {} AND column_name IN ({})",
        place("table", table),
        names(columns.iter().copied()),
    );
    alter(dialect, what, table, &actions, Some(present))
}

fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(literal).collect::<Vec<_>>().join(", ")
}

/// One BEFORE trigger.
pub(crate) struct Trigger {
    pub(crate) suffix: &'static str,
    pub(crate) event: &'static str,
    /// What stands between BEGIN and END.
    pub(crate) body: String,
}

/// The name of a trigger, in its table's schema.
fn trigger_name(site: &Site<'_>, table: &str, suffix: &str) -> String {
    let name = site.object_name(suffix);
    match table.split_once('.') {
        Some((schema, _)) => format!("{schema}.{name}"),
        None => name,
    }
}

/// One trigger as the catalog must show it, and the statement that makes it.
///
/// A trigger runs as the user who made it, and all of an application's writes fail when that user is gone: the catalog
/// must name the runner's own user. It is the last of its kind on the table: one that was made later would change rows
/// behind its back.
pub(crate) fn object(site: &Site<'_>, table: &str, trigger: &Trigger) -> SyncObject {
    let Trigger { suffix, event, body } = trigger;
    let name = site.object_name(suffix);
    let action = format!("BEGIN\n  /* {} */\n{body}END", site.comment());
    let create = if site.dialect == Dialect::Mariadb { "CREATE OR REPLACE TRIGGER" } else { "CREATE TRIGGER" };
    let definition = format!(
        "{create} {} BEFORE {event} ON {} FOR EACH ROW\n{action}",
        site.dialect.quote(&trigger_name(site, table, suffix)),
        site.dialect.quote(table),
    );
    let here = format!(
        "{} AND event_object_table = {} AND event_manipulation = '{event}' AND action_timing = 'BEFORE'",
        place("trigger", table).split(" AND ").next().unwrap_or_default(),
        literal(table.rsplit('.').next().unwrap_or(table)),
    );
    let present = format!(
        "SELECT count(*) FROM information_schema.triggers WHERE {here}\n\
         AND trigger_name = {} AND definer = CURRENT_USER()\n\
         AND SHA2(CONVERT(action_statement USING utf8mb4), 256) = '{}'\n\
         AND action_order = (SELECT max(action_order) FROM information_schema.triggers WHERE {here})",
        literal(&name),
        crate::digest::hex(shown(site.dialect, &action).as_bytes()),
    );
    SyncObject { table: table.to_owned(), name, definition, present }
}

/// A quoted name with a doubled mark in it is shown by MySQL's `information_schema` with parts repeated (seen on 9.7), so that
/// a trigger with one could not be told from an altered one.
pub(crate) fn check_names<'n>(site: &Site<'_>, names: impl IntoIterator<Item = &'n str>) -> Result<(), Refused> {
    let odd = names.into_iter().find(|name| name.contains('`'));
    match odd.filter(|_| site.dialect == Dialect::Mysql) {
        Some(name) => site.refuse(
            format!("the column `{name}` has a backtick in its name, and MySQL does not show a trigger that names it as it is"),
            "use a name without it",
        ),
        None => Ok(()),
    }
}

/// A trigger's body as `information_schema` has it. MySQL's has the text that a string or a quoted name stands for
/// between its marks: a doubled mark within is one (seen on 9.7). What is made here has no other escapes.
fn shown(dialect: Dialect, action: &str) -> String {
    if dialect == Dialect::Mariadb {
        return action.to_owned();
    }
    let mut shown = String::with_capacity(action.len());
    let mut within = None;
    let mut chars = action.chars().peekable();
    while let Some(c) = chars.next() {
        shown.push(c);
        match within {
            Some(mark) if c == mark && chars.peek() == Some(&mark) => {
                chars.next();
            }
            Some(mark) if c == mark => within = None,
            Some(_) => {}
            None if c == '\'' || c == '`' => within = Some(c),
            None => {}
        }
    }
    shown
}

/// Makes one trigger.
pub(crate) fn create_trigger(site: &Site<'_>, what: String, table: &str, trigger: &Trigger) -> Alone {
    let SyncObject { definition, present, .. } = object(site, table, trigger);
    let tables = vec![table.to_owned()];
    Alone { what, tables, statement: definition, otherwise: Vec::new(), present: Some(present) }
}

/// Takes one trigger away.
pub(crate) fn drop_trigger(site: &Site<'_>, what: String, table: &str, suffix: &str) -> Alone {
    let statement = format!("DROP TRIGGER IF EXISTS {}", site.dialect.quote(&trigger_name(site, table, suffix)));
    Alone { what, tables: vec![table.to_owned()], statement, otherwise: Vec::new(), present: None }
}

/// The triggers that keep both shapes of a mapping equal, in the order in which they are made: rows that an INSERT
/// filled would be left behind by an UPDATE that nobody watches yet.
pub(crate) fn sync(site: &Site<'_>, mapping: &Mapping<'_>) -> [Trigger; 2] {
    let handler = Writer { written: mapping.is_written() }.handler();
    let Bodies { update, insert } = bodies(site, mapping);
    [
        Trigger { suffix: "_u", event: "UPDATE", body: format!("{handler}{update}") },
        Trigger { suffix: "_i", event: "INSERT", body: format!("{handler}{insert}") },
    ]
}

/// What the triggers do, without the handler that each of them begins with.
pub(crate) struct Bodies {
    pub(crate) update: String,
    pub(crate) insert: String,
}

pub(crate) fn bodies(site: &Site<'_>, mapping: &Mapping<'_>) -> Bodies {
    let (old, new) = (mapping.old_of("NEW."), mapping.new_of("NEW."));
    let (old_before, new_before) = (mapping.old_of("OLD."), mapping.new_of("OLD."));
    let disagree = mapping.new_differ(&new, &mapping.forward(&old));
    let blank = if mapping.fills_blank() { format!(" OR {old} IS NULL") } else { String::new() };
    let unfilled = |old: &str, new: &[String]| {
        format!("{} AND {}", all_null(new), mapping.old_differ(old, &mapping.backward(new)))
    };
    let writer = Writer { written: mapping.is_written() };
    let to_new = |indent: &str| writer.set(indent, &new, &mapping.forward(&old));
    let to_old = |indent: &str| writer.set_or_keep(indent, std::slice::from_ref(&old), &[mapping.backward(&new)]);
    let filled: Vec<String> = new
        .iter()
        .zip(mapping.forward(&old_before))
        .map(|(column, value)| format!("COALESCE({column}, {value})"))
        .collect();
    let key = |row: &str| site.dialect.quote_all(row, mapping.facts.primary_key.iter().map(String::as_str));
    let key_types: Vec<&str> = mapping
        .facts
        .primary_key
        .iter()
        .map(|name| mapping.facts.column(name).map_or("", |column| column.sql_type.as_str()))
        .collect();
    let key_moved = differ(&key_types, &key("OLD."), &key("NEW."));
    let marker = site.dialect.quote(&site.marker_name());
    let insert = [
        &*format!("  IF {disagree}{blank} THEN\n    IF {}{blank} THEN\n", any_set(&new)),
        &to_old("      "),
        "    ELSE\n",
        &to_new("      "),
        "    END IF;\n  END IF;\n",
    ]
    .concat();
    let update = [
        &*format!("  IF NEW.{marker} = OLD.{marker} THEN\n"),
        &format!("    IF {} THEN\n", mapping.new_differ(&new_before, &new)),
        &format!("      IF {disagree} THEN\n"),
        "        /* A row that was never filled: what the writer left out comes from the old side. */\n",
        &format!("        IF {} THEN\n", unfilled(&old_before, &new_before)),
        &writer.set_or_keep("          ", &new, &filled),
        "        END IF;\n",
        &format!("        IF {disagree} THEN\n"),
        &to_old("          "),
        "        END IF;\n      END IF;\n",
        &format!("    ELSEIF {} THEN\n", mapping.old_differ(&old_before, &old)),
        &format!("      IF {disagree} THEN\n"),
        &to_new("        "),
        "      END IF;\n",
        &format!("    ELSEIF {key_moved} AND {} THEN\n", unfilled(&old, &new)),
        "      /* Only the key moved, and the row was never filled. */\n",
        &to_new("      "),
        "    END IF;\n  END IF;\n",
    ]
    .concat();
    Bodies { update, insert }
}

/// Writes assignments into a trigger that must not raise.
pub(crate) struct Writer {
    /// Whether somebody wrote one of the expressions, so that it may raise after all.
    pub(crate) written: bool,
}

impl Writer {
    /// Goes on after a value that does not convert, with what stood there before.
    pub(crate) fn handler(&self) -> &'static str {
        if self.written { HANDLER } else { "" }
    }

    /// Assigns; what does not convert becomes NULL.
    pub(crate) fn set(&self, indent: &str, columns: &[String], values: &[String]) -> String {
        let emptied = |column: &String| {
            if self.written { format!("{indent}SET {column} = NULL;\n") } else { String::new() }
        };
        columns
            .iter()
            .zip(values)
            .map(|(column, value)| format!("{}{indent}SET {column} = {value};\n", emptied(column)))
            .collect()
    }

    /// Assigns; what does not convert changes nothing.
    pub(crate) fn set_or_keep(&self, indent: &str, columns: &[String], values: &[String]) -> String {
        columns.iter().zip(values).map(|(column, value)| format!("{indent}SET {column} = {value};\n")).collect()
    }
}

/// For errors of a value that does not convert in an expression that somebody wrote: too long, out of range, truncated,
/// no date, no number, no JSON, not in the character set. Nothing else: a missing column must be heard of.
const HANDLER: &str = "  DECLARE CONTINUE HANDLER FOR 1264, 1265, 1292, 1365, 1366, 1406, 1411, 1690, 1977, 3140, 3854, 4038\n    BEGIN END;\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_has_no_escapes() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\\"), "CHAR(92 USING utf8mb4)");
        assert_eq!(literal("a\\'\t"), "CONCAT('a', CHAR(92 USING utf8mb4), '''', CHAR(9 USING utf8mb4))");
        assert_eq!(unescaped(r"'it''s \'a\\b\% \n'").as_deref(), Some("it's 'a\\b\\% \n"));
        assert_eq!(unescaped(r#""a""b""#).as_deref(), Some("a\"b"));
    }

    #[test]
    fn mysql_shows_doubled_marks_as_one() {
        let made = "SET NEW.`a``b` = 'it''s \"x\"' || '' || '''' || ```c`";
        assert_eq!(shown(Dialect::Mysql, made), "SET NEW.`a`b` = 'it's \"x\"' || '' || ''' || ``c`");
        assert_eq!(shown(Dialect::Mariadb, made), made);
    }

    #[test]
    fn text_is_compared_by_bytes_and_numbers_as_numbers() {
        let (a, b) = (["a".to_owned(), "b".to_owned()], ["c".to_owned(), "d + 1".to_owned()]);
        assert_eq!(
            differ(&["text", "int(11)"], &a, &b),
            "(NOT (CAST(CONVERT(a USING utf8mb4) AS BINARY) <=> CAST(CONVERT(c USING utf8mb4) AS BINARY)) OR NOT (b <=> (d + 1)))"
        );
    }
}
