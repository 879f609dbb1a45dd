//! The definition of a table as SQLite keeps it: its text. Edited by pieces, never written anew.

use schema_phases::ChangeName;

use crate::{
    Engine,
    sql_text::{Kind, Token, tokens},
};

/// The pieces of one column's definition, without gaps.
struct ColumnText<'a>(Vec<Token<'a>>);

/// Whether rows have no rowid.
pub(crate) fn is_without_rowid(definition: &str) -> bool {
    let Ok(tokens) = tokens(Engine::Sqlite, definition) else { return false };
    let last_close = tokens.iter().rposition(|token| token.is_symbol(")")).unwrap_or_default();
    tokens.iter().skip(last_close).any(|token| token.is_word("ROWID"))
}

/// The comment that stands where a column's NOT NULL stood.
fn set_aside(change: &ChangeName) -> String {
    format!("/* phasegate {change}: NOT NULL */")
}

/// The definition with the column's NOT NULL turned into a comment; `None` when it is not plainly there.
pub(crate) fn set_not_null_aside(definition: &str, column: &str, change: &ChangeName) -> Option<String> {
    let ColumnText(tokens) = column_text(definition, column)?;
    let at = tokens.windows(2).position(|pair| matches!(pair, [a, b] if a.is_word("NOT") && b.is_word("NULL")))?;
    let (first, last) = (tokens.get(at)?, tokens.get(at.saturating_add(1))?);
    // NOT NULL ON CONFLICT ...: more than the two words would have to go and come back.
    if tokens.get(at.saturating_add(2)).is_some_and(|next| next.is_word("ON")) {
        return None;
    }
    let (head, tail) = (definition.get(..first.start)?, definition.get(last.end()..)?);
    Some(format!("{head}{}{tail}", set_aside(change)))
}

/// Whether this change has set a NOT NULL aside.
pub(crate) fn has_not_null_aside(definition: &str, change: &ChangeName) -> bool {
    definition.contains(&set_aside(change))
}

/// The definition with that NOT NULL back in its place.
pub(crate) fn not_null_back(definition: &str, change: &ChangeName) -> String {
    definition.replace(&set_aside(change), "NOT NULL")
}

/// The definition with `constraint` added to a column.
pub(crate) fn with_constraint(definition: &str, column: &str, constraint: &str) -> Option<String> {
    let ColumnText(tokens) = column_text(definition, column)?;
    let end = tokens.last()?.end();
    Some(format!("{} {constraint}{}", definition.get(..end)?, definition.get(end..)?))
}

/// The first constraint of a column that a copy of it would lack.
pub(crate) fn lost_constraint(definition: &str, column: &str) -> Option<&'static str> {
    let ColumnText(tokens) = column_text(definition, column)?;
    ["COLLATE", "CHECK", "UNIQUE", "REFERENCES", "GENERATED", "PRIMARY"]
        .into_iter()
        .find(|word| tokens.iter().any(|token| token.is_word(word)))
}

/// The column's definition: from its name up to the comma or the end of the list.
fn column_text<'a>(definition: &'a str, column: &str) -> Option<ColumnText<'a>> {
    let tokens = tokens(Engine::Sqlite, definition).ok()?;
    let mut tokens = tokens.into_iter().filter(|token| token.kind != Kind::Gap);
    tokens.find(|token| token.is_symbol("("))?;
    let (mut depth, mut current) = (1_usize, Vec::new());
    for token in tokens {
        if token.is_symbol("(") {
            depth = depth.saturating_add(1);
        } else if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 || (depth == 1 && token.is_symbol(",")) {
            if is_column(&current, column) {
                return Some(ColumnText(current));
            }
            current = Vec::new();
        } else {
            current.push(token);
        }
        if depth == 0 {
            break;
        }
    }
    None
}

fn is_column(item: &[Token<'_>], column: &str) -> bool {
    let Some(first) = item.first() else { return false };
    let constraint = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|word| first.is_word(word));
    // SQLite takes a string for a name where only a name can stand.
    let name = match first.kind {
        Kind::Text => first.text.get(1..first.text.len().saturating_sub(1)).map(str::to_owned),
        Kind::Gap | Kind::Word | Kind::QuotedName | Kind::Number | Kind::Symbol => first.name(Engine::Sqlite),
    };
    !constraint && name.is_some_and(|name| name.eq_ignore_ascii_case(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE \"customers\" (\n  id INTEGER PRIMARY KEY, -- full_name, (\n  'nick' text,\n  \
        [full_name] varchar(20, 3) CONSTRAINT named NOT NULL DEFAULT (coalesce('a,b', 1)),\n  age int not null on conflict ignore,\n  \
        CHECK (full_name <> ''), last text)";

    #[test]
    fn not_null_goes_aside_and_comes_back_byte_for_byte() {
        let change = "split".parse().unwrap();
        let aside = set_not_null_aside(TABLE, "FULL_NAME", &change).unwrap();
        assert!(aside.contains("CONSTRAINT named /* phasegate split: NOT NULL */ DEFAULT"), "{aside}");
        assert!(has_not_null_aside(&aside, &change) && !has_not_null_aside(TABLE, &change));
        assert_eq!(not_null_back(&aside, &change), TABLE);
        for column in ["id", "age", "nick", "last", "missing", "CHECK"] {
            assert_eq!(set_not_null_aside(TABLE, column, &change), None, "{column}");
        }
    }

    #[test]
    fn a_constraint_is_added_at_the_end_of_its_column() {
        let added = with_constraint(TABLE, "last", "NOT NULL").unwrap();
        assert!(added.ends_with("last text NOT NULL)"), "{added}");
        let added = with_constraint(TABLE, "nick", "DEFAULT 'x'").unwrap();
        assert!(added.contains("'nick' text DEFAULT 'x',\n"), "{added}");
    }

    #[test]
    fn what_a_copy_would_lack_is_found() {
        let table = "CREATE TABLE t (a text COLLATE NOCASE, b int, c int CHECK (c > 0)) without rowid";
        assert_eq!(lost_constraint(table, "a"), Some("COLLATE"));
        assert_eq!(lost_constraint(table, "b"), None);
        assert_eq!(lost_constraint(table, "c"), Some("CHECK"));
        assert!(is_without_rowid(table) && !is_without_rowid(TABLE));
    }
}
