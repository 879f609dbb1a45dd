//! The SQL that an app version brings along: files with named queries as sqlc reads and writes them, or plain ones.

use std::collections::BTreeMap;

use crate::{
    Engine, FileError,
    sql_text::{BadSqlText, Kind, Statement, Token, statements, tokens},
};

/// More than an app has; each is a round trip.
const MOST: usize = 1_000;
/// All files together.
const MOST_BYTES: usize = 512 * 1024;

/// One statement of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppStatement {
    /// Its name in a comment `-- name: GetAuthor :one`, else its file and line.
    pub name: String,
    /// The statement alone, with the placeholders of the engine.
    pub sql: String,
    /// The tables it inserts into with a list of columns.
    pub inserts: Vec<InsertedInto>,
}

/// A table and the columns that an INSERT names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsertedInto {
    /// The table's schema, when the statement names one.
    pub schema: Option<String>,
    /// The table, as the engine looks it up.
    pub table: String,
    /// The columns, likewise.
    pub columns: Vec<String>,
}

/// The statements of these files, by file name and in their order.
///
/// # Errors
/// The file and line of a string or comment without an end, of a statement that begins or ends a transaction, or too
/// much of everything.
pub fn app_statements(engine: Engine, files: &BTreeMap<String, String>) -> Result<Vec<AppStatement>, FileError> {
    let bytes = files.values().map(String::len).fold(0, usize::saturating_add);
    let mut found = Vec::new();
    for (file, text) in files {
        let error = |line: u32, message: String, remedy: &str| FileError {
            file: file.clone(),
            line: Some(line),
            field: None,
            message,
            remedy: remedy.to_owned(),
        };
        if bytes > MOST_BYTES {
            let message = format!("the files have {bytes} bytes; at most {MOST_BYTES} are read");
            return Err(error(1, message, "leave out what the version does not run"));
        }
        let bad = |BadSqlText { line, what }: BadSqlText| error(line, what, "correct the file");
        let names = names(&tokens(engine, text).map_err(bad)?);
        let mut after = 0;
        for statement in statements(engine, text).map_err(bad)? {
            let named = names.range(after..=statement.line).next_back().map(|(_, name)| name);
            after = statement.line.saturating_add(1);
            let sql = without_sqlc(engine, &statement);
            let name = named.cloned().unwrap_or_else(|| format!("{file} line {}", statement.line));
            found.push(AppStatement { name, sql, inserts: inserts(engine, &statement.tokens) });
            if found.len() > MOST {
                let message = format!("there are more than {MOST} statements");
                return Err(error(statement.line, message, "leave out what the version does not run"));
            }
        }
    }
    Ok(found)
}

/// The names in comments `-- name: GetAuthor :one`, by line.
fn names(tokens: &[Token<'_>]) -> BTreeMap<u32, String> {
    let comments = tokens.iter().filter(|token| token.kind == Kind::Gap);
    let named = comments.filter_map(|comment| {
        let inner = comment.text.strip_prefix("--").or_else(|| comment.text.strip_prefix("/*"))?;
        let mut words = inner.trim().strip_prefix("name:")?.split_whitespace();
        let name: String = words.next()?.chars().take(80).collect();
        words.next()?.starts_with(':').then_some((comment.line, name))
    });
    named.collect()
}

/// The statement with what only sqlc understands written as the engine does: `sqlc.arg(x)`, `sqlc.narg(x)`,
/// `sqlc.slice(x)` and, on PostgreSQL, `@x` are placeholders; `sqlc.embed(t)` is `t.*`.
fn without_sqlc(engine: Engine, statement: &Statement<'_>) -> String {
    let Some(first) = statement.tokens.first() else { return statement.text.to_owned() };
    let mut placeholders = Placeholders::of(engine, statement);
    let (mut sql, mut copied) = (String::new(), first.start);
    let text = |from: usize, to: usize| {
        let (from, to) = (from.saturating_sub(first.start), to.saturating_sub(first.start));
        statement.text.get(from..to).unwrap_or_default()
    };
    let mut rest = statement.tokens.as_slice();
    while let Some((token, tail)) = rest.split_first() {
        rest = tail;
        let (instead, length) = match tail {
            [dot, function, open, argument, close, ..]
                if token.is_word("sqlc") && dot.is_symbol(".") && open.is_symbol("(") && close.is_symbol(")") =>
            {
                let name = argument.text.trim_matches('\'');
                let instead = match function.text {
                    "arg" | "narg" | "slice" => placeholders.of_name(name),
                    "embed" => format!("{name}.*"),
                    _ => continue,
                };
                (instead, 5)
            }
            [name, ..]
                if engine == Engine::Postgres
                    && token.is_symbol("@")
                    && name.kind == Kind::Word
                    && name.start == token.end() =>
            {
                (placeholders.of_name(name.text), 1)
            }
            _ => continue,
        };
        let Some(last) = tail.get(length - 1) else { continue };
        sql.push_str(text(copied, token.start));
        sql.push_str(&instead);
        copied = last.end();
        rest = tail.get(length..).unwrap_or_default();
    }
    sql.push_str(text(copied, first.start.saturating_add(statement.text.len())));
    sql
}

/// Hands out `$1`, `$2`, the same one for the same name; or `?`.
struct Placeholders {
    engine: Engine,
    named: Vec<String>,
    /// The highest number that stands there already.
    used: usize,
}

impl Placeholders {
    fn of(engine: Engine, statement: &Statement<'_>) -> Self {
        let numbers = statement.tokens.iter().filter(|token| token.kind == Kind::Number);
        let used = numbers.filter_map(|token| token.text.strip_prefix('$')?.parse().ok()).max().unwrap_or(0);
        Self { engine, named: Vec::new(), used }
    }

    fn of_name(&mut self, name: &str) -> String {
        if self.engine != Engine::Postgres {
            return "?".to_owned();
        }
        let at = self.named.iter().position(|known| known == name).unwrap_or_else(|| {
            self.named.push(name.to_owned());
            self.named.len() - 1
        });
        format!("${}", self.used.saturating_add(at).saturating_add(1))
    }
}

/// Every `INSERT INTO table (columns)`, those in a WITH included. What does not look like that says nothing.
fn inserts(engine: Engine, tokens: &[Token<'_>]) -> Vec<InsertedInto> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some((token, tail)) = rest.split_first() {
        rest = tail;
        if token.is_word("INSERT") || token.is_word("REPLACE") {
            // At most `OR REPLACE` or `IGNORE` stands in between.
            let into = tail.iter().take(3).position(|token| token.is_word("INTO"));
            if let Some(after) = into.and_then(|into| tail.get(into.saturating_add(1)..)) {
                found.extend(inserted_into(engine, after));
                rest = after;
            }
        }
    }
    found
}

fn inserted_into(engine: Engine, tokens: &[Token<'_>]) -> Option<InsertedInto> {
    let (first, mut rest) = tokens.split_first()?;
    let (mut schema, mut table) = (None, first.name(engine)?);
    if let [dot, second, tail @ ..] = rest
        && dot.is_symbol(".")
    {
        (schema, table, rest) = (Some(table), second.name(engine)?, tail);
    }
    if let [word, _, tail @ ..] = rest
        && word.is_word("AS")
    {
        rest = tail;
    }
    let mut rest = rest.split_first().filter(|(open, _)| open.is_symbol("("))?.1;
    // `INSERT INTO t (SELECT ...)` has no list.
    if rest.first().is_some_and(|token| token.is_word("SELECT") || token.is_word("WITH") || token.is_word("VALUES")) {
        return None;
    }
    let mut columns = Vec::new();
    loop {
        let [name, next, tail @ ..] = rest else { return None };
        columns.push(name.name(engine)?);
        if next.is_symbol(")") {
            return Some(InsertedInto { schema, table, columns });
        }
        if !next.is_symbol(",") {
            return None;
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(engine: Engine, text: &str) -> Result<Vec<AppStatement>, String> {
        let files = [("queries.sql".to_owned(), text.to_owned())].into();
        app_statements(engine, &files).map_err(|error| error.to_string())
    }

    fn sql(engine: Engine, text: &str) -> Vec<(String, String)> {
        read(engine, text).unwrap().into_iter().map(|one| (one.name, one.sql)).collect()
    }

    fn pair(name: &str, sql: &str) -> (String, String) {
        (name.to_owned(), sql.to_owned())
    }

    #[test]
    fn named_queries_and_plain_files_are_cut_into_statements() {
        let text = "\
-- name: GetAuthor :one
SELECT * FROM authors
WHERE id = $1; -- it; is

/* name: Gone :exec */
DELETE FROM authors WHERE bio = 'a;b' AND id = $1;
SELECT 1;
-- name: not a name
SELECT 2";
        let want = [
            pair("GetAuthor", "SELECT * FROM authors\nWHERE id = $1"),
            pair("Gone", "DELETE FROM authors WHERE bio = 'a;b' AND id = $1"),
            pair("queries.sql line 7", "SELECT 1"),
            pair("queries.sql line 9", "SELECT 2"),
        ];
        assert_eq!(sql(Engine::Postgres, text), want);
    }

    #[test]
    fn what_only_sqlc_understands_becomes_what_the_engine_does() {
        let text = "SELECT sqlc.embed(a), @> FROM a WHERE x = sqlc.arg('x') AND y = @y AND z = sqlc.narg(z) AND x2 = \
                    @x AND w = $2 AND s = ANY(sqlc.slice(ids)) AND '@no' = m @> n";
        let want = "SELECT a.*, @> FROM a WHERE x = $3 AND y = $4 AND z = $5 AND x2 = $3 AND w = $2 AND s = ANY($6) \
                    AND '@no' = m @> n";
        assert_eq!(sql(Engine::Postgres, text), [pair("queries.sql line 1", want)]);
        let mysql = "INSERT INTO a (b, c) VALUES (?, sqlc.arg(c))";
        assert_eq!(sql(Engine::Mysql, mysql)[0].1, "INSERT INTO a (b, c) VALUES (?, ?)");
    }

    #[test]
    fn the_columns_that_an_insert_names_are_found() {
        let of = |engine, text: &str| -> Vec<String> {
            let inserts = read(engine, text).unwrap().remove(0).inserts;
            let told = |it: InsertedInto| {
                format!("{}{}({})", it.schema.map_or(String::new(), |s| s + "."), it.table, it.columns.join(","))
            };
            inserts.into_iter().map(told).collect()
        };
        use Engine::{Mysql, Postgres, Sqlite};
        let rows: [(Engine, &str, &[&str]); 12] = [
            (Postgres, "INSERT INTO Orders (ID, \"Note\") VALUES ($1, $2)", &["orders(id,Note)"]),
            (
                Postgres,
                "insert into shop.orders as o (id) values (1) on conflict (id) do nothing",
                &["shop.orders(id)"],
            ),
            (
                Postgres,
                "WITH x AS (INSERT INTO a (b) VALUES (1) RETURNING b) INSERT INTO c (d) SELECT b FROM x",
                &["a(b)", "c(d)"],
            ),
            (Postgres, "INSERT INTO a VALUES (1)", &[]),
            (Postgres, "INSERT INTO a DEFAULT VALUES", &[]),
            (Postgres, "INSERT INTO a (SELECT 1)", &[]),
            (Postgres, "INSERT INTO a (b[1]) VALUES (1)", &[]),
            (Postgres, "MERGE INTO a USING b ON true WHEN NOT MATCHED THEN INSERT (c) VALUES (1)", &[]),
            (Postgres, "SELECT 'INSERT INTO a (b)'", &[]),
            (Sqlite, "INSERT OR REPLACE INTO a (b) VALUES (1)", &["a(b)"]),
            (Mysql, "INSERT IGNORE INTO `A` (`b`) VALUES (1)", &["A(b)"]),
            (Mysql, "REPLACE INTO A (B) VALUES (1)", &["A(B)"]),
        ];
        for (engine, text, want) in rows {
            assert_eq!(of(engine, text), want, "{text}");
        }
    }

    #[test]
    fn what_has_no_end_or_is_too_much_is_refused_with_its_place() {
        assert!(read(Engine::Postgres, "SELECT 1;\nSELECT 'a").unwrap_err().starts_with("queries.sql:2: "));
        assert!(read(Engine::Postgres, &"SELECT 1;\n".repeat(MOST + 1)).unwrap_err().contains("more than 1000"));
        assert!(read(Engine::Postgres, &" ".repeat(MOST_BYTES + 1)).unwrap_err().contains("at most 524288"));
        assert_eq!(read(Engine::Postgres, "-- nothing\n"), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(INSERT|INTO|sqlc|\\.|arg|\\(|\\)|@|a|,|;|'|--|\\$1| |\n){0,40}|.{0,60}") {
            for engine in Engine::ALL {
                let _ = read(engine, &text);
            }
        }
    }
}
