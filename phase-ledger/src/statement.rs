//! What may be said inside a fenced transaction, and how a table's name is written there.

use crate::{Statement, WriteError, text::shortened};

/// Refuses a statement that would end the transaction, or begin another: it would slip out of the fence.
pub(crate) fn no_control(sql: &str) -> Result<(), WriteError> {
    const CONTROL: [&str; 9] =
        ["ABORT", "BEGIN", "COMMIT", "END", "PREPARE", "RELEASE", "ROLLBACK", "SAVEPOINT", "START"];
    if CONTROL.contains(&first_word(sql).as_str()) {
        let cause = "a statement of a move must not begin or end a transaction; remove it".into();
        return Err(WriteError::Refused { statement: shortened(sql, 400), cause });
    }
    Ok(())
}

/// How many statements at the beginning need no table: functions, and what is said of them.
pub(crate) fn unlocked(work: &[Statement]) -> usize {
    let makes_function = |statement: &&Statement| {
        let mut words = statement.sql.split_whitespace();
        let mut follows = |wanted: &[&str]| wanted.iter().all(|word| words.next() == Some(*word));
        statement.binds.is_empty()
            && (follows(&["CREATE", "FUNCTION"]) || statement.sql.starts_with("COMMENT ON FUNCTION "))
    };
    work.iter().take_while(makes_function).count()
}

/// Whether the statement builds or drops an index, or rebuilds one, while others write.
pub(crate) fn is_concurrent(sql: &str) -> bool {
    matches!(first_word(sql).as_str(), "CREATE" | "DROP" | "REINDEX")
        && sql.split_whitespace().any(|word| word.eq_ignore_ascii_case("CONCURRENTLY"))
}

/// Refuses a text that holds a second statement: a driver that takes several would run a hidden COMMIT among them.
/// PostgreSQL's protocol refuses it by itself.
pub(crate) fn only_one(sql: &str) -> Result<(), WriteError> {
    // The body of a trigger is full of statements.
    let has_body = first_word(sql) == "CREATE" && sql.to_ascii_uppercase().contains("BEGIN");
    if !has_body && !first_word(after_first(sql)).is_empty() {
        let cause = "the text holds more than one statement; give each a step of its own".into();
        return Err(WriteError::Refused { statement: shortened(sql, 400), cause });
    }
    Ok(())
}

/// What follows the first semicolon that stands outside of strings, quoted names and comments.
fn after_first(sql: &str) -> &str {
    let mut rest = sql;
    while let Some(at) = rest.find(['\'', '"', '`', ';', '-', '/']) {
        let tail = rest.get(at..).unwrap_or_default();
        let after = tail.get(1..).unwrap_or_default();
        rest = match tail.chars().next() {
            Some(';') => return after,
            Some(quote @ ('\'' | '"' | '`')) => after.split_once(quote).map_or("", |(_, after)| after),
            _ => {
                if let Some(comment) = tail.strip_prefix("--") {
                    comment.split_once('\n').map_or("", |(_, after)| after)
                } else if let Some(comment) = tail.strip_prefix("/*") {
                    comment.split_once("*/").map_or("", |(_, after)| after)
                } else {
                    after
                }
            }
        };
    }
    ""
}

/// The first word of a statement, in capitals: what kind of statement it is.
pub(crate) fn first_word(sql: &str) -> String {
    let mut rest = sql.trim_start();
    loop {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after).trim_start();
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = after_comment(comment).trim_start();
        } else if let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start();
        } else {
            return rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase();
        }
    }
}

/// What follows a block comment, whose beginning was taken off. PostgreSQL nests them; SQLite does not, and then what
/// is left begins with a stray end of a comment, which is an error there anyway.
fn after_comment(comment: &str) -> &str {
    let (mut depth, mut rest) = (1, comment);
    while depth > 0 {
        let Some(at) = rest.find(['*', '/']) else { return "" };
        let tail = rest.get(at..).unwrap_or_default();
        if let Some(after) = tail.strip_prefix("*/") {
            (depth, rest) = (depth - 1, after);
        } else if let Some(after) = tail.strip_prefix("/*") {
            (depth, rest) = (depth + 1, after);
        } else {
            rest = tail.get(1..).unwrap_or_default();
        }
    }
    rest
}

/// A table's name as written in Git, each part quoted: `customers`, `sales.customers`. Parts that are quoted already
/// stay as they are.
pub(crate) fn quoted(table: &str) -> String {
    let mut parts = vec![String::new()];
    let mut inside = false;
    for c in table.chars() {
        match c {
            '"' => inside = !inside,
            '.' if !inside => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let quote = |part: &String| {
        let bare = part.strip_prefix('"').and_then(|part| part.strip_suffix('"'));
        let name = bare.map_or_else(|| part.clone(), |bare| bare.replace("\"\"", "\""));
        format!("\"{}\"", name.replace('"', "\"\""))
    };
    parts.iter().map(quote).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_function_needs_no_table() {
        let work = |texts: &[&str]| texts.iter().map(|text| Statement::plain(*text)).collect::<Vec<_>>();
        assert_eq!(unlocked(&work(&["CREATE FUNCTION f() ...", "COMMENT ON FUNCTION f() IS 'x'", "ALTER TABLE t"])), 2);
        assert_eq!(unlocked(&work(&["ALTER TABLE t", "CREATE FUNCTION f() ..."])), 0);
        assert_eq!(unlocked(&work(&["CREATE TRIGGER x", "DROP FUNCTION f()"])), 0);
    }

    #[test]
    fn a_statement_that_would_leave_the_fence_is_refused() {
        for bad in [
            "COMMIT",
            "commit;",
            " -- why\n Rollback",
            "/* a /* b */ c */ begin",
            ";; END",
            "SAVEPOINT x",
            "PREPARE TRANSACTION 'x'",
            "start transaction",
            "abort",
        ] {
            assert!(matches!(no_control(bad), Err(WriteError::Refused { .. })), "{bad}");
        }
        for good in [
            "CREATE TABLE commits (id int)",
            "-- COMMIT\nSELECT 1",
            "/* ROLLBACK */ UPDATE t SET x = 1",
            "",
            "--",
            "/* open",
            "beginning",
        ] {
            assert!(no_control(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_second_statement_is_refused() {
        for bad in
            ["SELECT 1; COMMIT", "SELECT ';'; x", "SELECT 1 /* ; */; -- a\n COMMIT", "SELECT \";\" - 1 / 2; END;"]
        {
            assert!(matches!(only_one(bad), Err(WriteError::Refused { .. })), "{bad}");
        }
        for good in [
            "SELECT 1",
            "SELECT 1;",
            "SELECT ';a''b;' -- ; x",
            "SELECT 1; -- the end",
            "SELECT 'open; x",
            "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; SELECT 2; END;",
            "UPDATE `a;b` SET x = 1;;",
        ] {
            assert!(only_one(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn concurrent_statements_are_known_by_their_words() {
        assert!(is_concurrent("create unique index concurrently\ti on t (a)"));
        assert!(is_concurrent("REINDEX TABLE CONCURRENTLY t"));
        assert!(!is_concurrent("CREATE INDEX i ON t (concurrently_made)"));
        assert!(!is_concurrent("UPDATE t SET a = 'x CONCURRENTLY y'"));
    }

    #[test]
    fn names_are_quoted_part_by_part_and_only_once() {
        let rows = [
            ("customers", "\"customers\""),
            ("sales.Customers", "\"sales\".\"Customers\""),
            ("\"a.b\".c", "\"a.b\".\"c\""),
            ("\"a\"\"b\"", "\"a\"\"b\""),
            ("a; DROP TABLE b", "\"a; DROP TABLE b\""),
            ("a\"b", "\"a\"\"b\""),
        ];
        for (name, expected) in rows {
            assert_eq!(quoted(name), expected, "{name}");
        }
    }
}
