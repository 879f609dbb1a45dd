//! The indexes that a change in plain SQL makes, as far as its text tells: for finding that one is gone, or is another.
//!
//! What the text does not tell is not claimed: a name in a `DO` block, or an index that another statement may have taken
//! away or named anew.

use std::fmt;

use crate::{
    Engine, TableFacts,
    declared::same_column,
    sql_text::{Kind, Token, tokens},
};

/// PostgreSQL cuts longer names.
const LONGEST_NAME: usize = 63;

/// An index that a statement makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeIndex {
    /// Its name, where the statement gives one.
    pub name: Option<String>,
    /// Whether it forbids duplicates.
    pub unique: bool,
    /// Its columns in order; none when one of them is an expression, or there is more to it.
    pub key: Option<Vec<String>>,
    /// Every name behind the table's.
    pub(crate) mentions: Vec<String>,
    /// The statement.
    pub statement: String,
    pub(crate) engine: Engine,
}

/// How an index that a change made is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// As it was made, as far as that can be told.
    Same,
    /// Not at all.
    Missing,
    /// With other columns, or as one that forbids duplicates and did not, or the other way round.
    Other,
    /// PostgreSQL: no query uses it, as its build did not end.
    Invalid,
}

impl MadeIndex {
    /// How it is found on the table.
    pub fn found(&self, facts: &TableFacts) -> Found {
        let same = |one: &str, other: &str| same_column(self.engine, one, other);
        let all = |one: &[String], other: &[String]| {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        };
        let Some(name) = &self.name else {
            let is = |key: &Vec<String>| {
                facts.indexes.iter().any(|index| index.valid && index.unique == self.unique && all(&index.key, key))
            };
            return if self.key.as_ref().is_none_or(is) { Found::Same } else { Found::Missing };
        };
        let Some(index) = facts.indexes.iter().find(|index| same(&index.name, cut(self.engine, name))) else {
            return Found::Missing;
        };
        if !index.valid {
            return Found::Invalid;
        }
        let other = index.unique != self.unique || self.key.as_ref().is_some_and(|key| !all(&index.key, key));
        if other { Found::Other } else { Found::Same }
    }
}

impl fmt::Display for MadeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.unique { "the unique index" } else { "the index" };
        match (&self.name, &self.key) {
            (Some(name), _) => write!(f, "{kind} {name}"),
            (None, Some(key)) => write!(f, "{kind} over ({})", key.join(", ")),
            (None, None) => f.write_str(kind),
        }
    }
}

fn cut(engine: Engine, name: &str) -> &str {
    let end = (0..=LONGEST_NAME).rev().find(|at| name.is_char_boundary(*at)).unwrap_or_default();
    if engine == Engine::Postgres { name.get(..end).unwrap_or(name) } else { name }
}

/// What a statement does to what others made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It takes nothing away, and alters no column.
    Harmless,
    /// It may take away or alter the indexes it names, and nothing else.
    Indexes(Vec<String>),
    /// It may do anything to the tables.
    Anything,
}

impl Effect {
    /// Whether it may take that index away, or alter it.
    pub(crate) fn takes(&self, index: &MadeIndex) -> bool {
        match self {
            Self::Harmless => false,
            // Whoever names none may mean the one without a name.
            Self::Indexes(names) => {
                index.name.as_ref().is_none_or(|name| names.iter().any(|named| same_column(index.engine, named, name)))
            }
            Self::Anything => true,
        }
    }
}

/// What a statement may do to columns and indexes that are there.
pub(crate) fn effect(engine: Engine, statement: &str) -> Effect {
    let Some(pieces) = pieces(engine, statement) else { return Effect::Anything };
    let word = |at: usize, word: &str| pieces.get(at).is_some_and(|token| token.is_word(word));
    let first = |words: &[&str]| words.iter().any(|it| word(0, it));
    let data = ["INSERT", "UPDATE", "DELETE", "SELECT", "VALUES", "ANALYZE", "VACUUM", "COMMENT", "GRANT", "REVOKE"];
    if first(&data) {
        return Effect::Harmless;
    }
    let index = word(1, "INDEX") || word(1, "TRIGGER") || word(1, "FUNCTION") || word(1, "VIEW");
    if (first(&["DROP", "ALTER"]) && index) || first(&["REINDEX"]) {
        return Effect::Indexes(names(engine, &pieces));
    }
    // CREATE OR REPLACE TABLE drops what was there.
    if first(&["CREATE"]) && !word(1, "OR") {
        return Effect::Harmless;
    }
    let takes =
        ["DROP", "RENAME", "MODIFY", "CHANGE", "ALTER", "CONVERT", "ATTACH", "DETACH", "EXCHANGE", "USING", "SET"];
    let added = first(&["ALTER"])
        && word(1, "TABLE")
        && !pieces.iter().skip(2).any(|token| takes.iter().any(|it| token.is_word(it)));
    if added { Effect::Harmless } else { Effect::Anything }
}

/// The indexes that a statement makes, each with the table as the statement names it.
pub(crate) fn made(engine: Engine, statement: &str) -> Vec<(String, MadeIndex)> {
    let Some(pieces) = pieces(engine, statement) else { return Vec::new() };
    let mut at = Reader { engine, pieces: &pieces, at: 0 };
    if at.take("CREATE") {
        return created(&mut at, statement).into_iter().collect();
    }
    if at.take("ALTER") && at.take("TABLE") {
        return added(&mut at, statement);
    }
    Vec::new()
}

fn pieces(engine: Engine, statement: &str) -> Option<Vec<Token<'_>>> {
    let mut pieces = tokens(engine, statement).ok()?;
    pieces.retain(|token| token.kind != Kind::Gap);
    Some(pieces)
}

fn names(engine: Engine, pieces: &[Token<'_>]) -> Vec<String> {
    pieces.iter().filter_map(|token| token.name(engine)).collect()
}

fn created(at: &mut Reader<'_, '_>, statement: &str) -> Option<(String, MadeIndex)> {
    if at.take("OR") && !at.take("REPLACE") {
        return None;
    }
    let unique = at.take("UNIQUE");
    let _ = at.take("FULLTEXT") || at.take("SPATIAL");
    if !at.take("INDEX") {
        return None;
    }
    at.take("CONCURRENTLY");
    at.not_there();
    let name = if at.is("ON") { None } else { Some(at.qualified()?) };
    if at.take("USING") {
        at.name()?;
    }
    if !at.take("ON") || at.is("ONLY") {
        // That of a partitioned table alone is whole only when those of its partitions are attached.
        return None;
    }
    let table = at.qualified()?;
    if at.take("USING") {
        at.name()?;
    }
    let mentions = names(at.engine, at.rest());
    let key = at.key()?;
    // What follows, a condition or columns beside the key, is no difference in the key.
    let name = name.map(|name| last(&name));
    Some((table, MadeIndex { name, unique, key, mentions, statement: statement.to_owned(), engine: at.engine }))
}

fn added(at: &mut Reader<'_, '_>, statement: &str) -> Vec<(String, MadeIndex)> {
    if at.take("IF") {
        at.take("EXISTS");
    }
    at.take("ONLY");
    let Some(table) = at.qualified() else { return Vec::new() };
    let mut found = Vec::new();
    while at.skip_to_action("ADD") {
        if let Some(index) = one_added(at, statement) {
            found.push((table.clone(), index));
        }
    }
    found
}

fn one_added(at: &mut Reader<'_, '_>, statement: &str) -> Option<MadeIndex> {
    let constraint = if at.take("CONSTRAINT") && !at.is("UNIQUE") { Some(at.name()?) } else { None };
    let unique = at.take("UNIQUE");
    let special = at.take("FULLTEXT") || at.take("SPATIAL");
    let index = at.take("INDEX") || at.take("KEY");
    if !(unique || special || index) {
        return None;
    }
    at.not_there();
    let own = if at.is_symbol("(") || at.is("USING") { None } else { Some(at.name()?) };
    if at.take("USING") {
        at.name()?;
    }
    let mentions = names(at.engine, at.rest());
    let key = at.key()?;
    // MySQL takes the index's own name before the constraint's.
    Some(MadeIndex {
        name: own.or(constraint),
        unique,
        key,
        mentions,
        statement: statement.to_owned(),
        engine: at.engine,
    })
}

/// The part of a name behind its schema.
pub(crate) fn last(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).to_owned()
}

/// Goes over the pieces of a statement.
struct Reader<'p, 't> {
    engine: Engine,
    pieces: &'p [Token<'t>],
    at: usize,
}

impl Reader<'_, '_> {
    fn rest(&self) -> &[Token<'_>] {
        self.pieces.get(self.at..).unwrap_or_default()
    }

    fn is(&self, word: &str) -> bool {
        self.pieces.get(self.at).is_some_and(|token| token.is_word(word))
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.pieces.get(self.at).is_some_and(|token| token.is_symbol(symbol))
    }

    fn take(&mut self, word: &str) -> bool {
        let is = self.is(word);
        self.at = self.at.saturating_add(usize::from(is));
        is
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let is = self.is_symbol(symbol);
        self.at = self.at.saturating_add(usize::from(is));
        is
    }

    /// IF NOT EXISTS.
    fn not_there(&mut self) {
        if self.take("IF") {
            self.take("NOT");
            self.take("EXISTS");
        }
    }

    fn name(&mut self) -> Option<String> {
        let name = self.pieces.get(self.at)?.name(self.engine)?;
        self.at = self.at.saturating_add(1);
        Some(name)
    }

    /// A name, with its schema where it has one.
    fn qualified(&mut self) -> Option<String> {
        let mut name = self.name()?;
        while self.take_symbol(".") {
            name = format!("{name}.{}", self.name()?);
        }
        Some(name)
    }

    /// Behind the next such word outside of parentheses.
    fn skip_to_action(&mut self, word: &str) -> bool {
        let mut depth = 0_usize;
        while let Some(token) = self.pieces.get(self.at) {
            self.at = self.at.saturating_add(1);
            if token.is_symbol("(") {
                depth = depth.saturating_add(1);
            } else if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && token.is_word(word) {
                return true;
            }
        }
        false
    }

    /// What stands in the parentheses that begin here, as columns in order; the inner none when there is an expression
    /// among them. Without parentheses it is no index that the text describes.
    fn key(&mut self) -> Option<Option<Vec<String>>> {
        if !self.take_symbol("(") {
            return None;
        }
        let mut key = Some(Vec::new());
        loop {
            let column = self.name();
            // The length of a prefix, where the engine has such.
            if matches!(self.engine, Engine::Mysql | Engine::Mariadb) && column.is_some() && self.take_symbol("(") {
                self.at = self.at.saturating_add(1);
                if !self.take_symbol(")") {
                    key = None;
                }
            }
            let mut plain = column.is_some();
            let mut depth = 0_usize;
            loop {
                let token = self.pieces.get(self.at)?;
                if depth == 0 && (token.is_symbol(",") || token.is_symbol(")")) {
                    break;
                }
                plain &= token.name(self.engine).is_some();
                if token.is_symbol("(") {
                    depth = depth.saturating_add(1);
                } else if token.is_symbol(")") {
                    depth = depth.saturating_sub(1);
                }
                self.at = self.at.saturating_add(1);
            }
            key = match (key, column) {
                (Some(mut key), Some(column)) if plain => {
                    key.push(column);
                    Some(key)
                }
                _ => None,
            };
            if self.take_symbol(")") {
                return Some(key);
            }
            self.take_symbol(",");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `table: name unique (key)` of each.
    fn told(engine: Engine, statement: &str) -> Vec<String> {
        let key = |index: &MadeIndex| index.key.as_ref().map_or_else(|| "?".to_owned(), |key| key.join(", "));
        made(engine, statement).iter().map(|(table, index)| format!("{table}: {index} ({})", key(index))).collect()
    }

    #[test]
    fn what_makes_an_index_is_known_with_its_name_and_its_columns() {
        use Engine::{Mariadb, Mysql, Postgres, Sqlite};
        let rows: [(Engine, &str, &[&str]); 15] = [
            (
                Postgres,
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS I ON s.t (a DESC, b text_pattern_ops)",
                &["s.t: the index i (a, b)"],
            ),
            (
                Postgres,
                "create unique index \"I\" on t using btree (a) include (b) where c > 1",
                &["t: the unique index I (a)"],
            ),
            (Postgres, "CREATE INDEX i ON t (lower(a), b)", &["t: the index i (?)"]),
            (Postgres, "CREATE INDEX i ON t ((a || b))", &["t: the index i (?)"]),
            (Postgres, "CREATE INDEX ON t (a)", &["t: the index over (a) (a)"]),
            (Postgres, "CREATE INDEX i ON ONLY t (a)", &[]),
            (
                Postgres,
                "ALTER TABLE ONLY t ADD COLUMN c int, ADD CONSTRAINT u UNIQUE (a, b)",
                &["t: the unique index u (a, b)"],
            ),
            (Postgres, "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i", &[]),
            (Postgres, "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", &[]),
            (Sqlite, "CREATE INDEX IF NOT EXISTS main.i ON t (a COLLATE NOCASE)", &["t: the index i (a)"]),
            (Mysql, "CREATE FULLTEXT INDEX i ON `t` (a)", &["t: the index i (a)"]),
            (
                Mariadb,
                "CREATE OR REPLACE UNIQUE INDEX i USING BTREE ON t (a(20), b DESC)",
                &["t: the unique index i (a, b)"],
            ),
            (
                Mysql,
                "ALTER TABLE t ADD COLUMN c int, ADD INDEX i (a), ADD UNIQUE KEY u (b), ADD KEY (c)",
                &["t: the index i (a)", "t: the unique index u (b)", "t: the index over (c) (c)"],
            ),
            (Mysql, "ALTER TABLE t ADD PRIMARY KEY (a), ADD FOREIGN KEY (b) REFERENCES r (c)", &[]),
            (Mysql, "UPDATE t SET a = 1", &[]),
        ];
        for (engine, statement, want) in rows {
            assert_eq!(told(engine, statement), want, "{statement}");
        }
    }

    #[test]
    fn what_may_take_something_away_is_known_and_the_unknown_may() {
        let indexes = |names: &[&str]| Effect::Indexes(names.iter().map(|name| (*name).to_owned()).collect());
        let rows = [
            ("CREATE INDEX i ON t (a)", Effect::Harmless),
            ("UPDATE t SET a = 1", Effect::Harmless),
            ("ALTER TABLE t ADD COLUMN c int NOT NULL", Effect::Harmless),
            ("ALTER TABLE t VALIDATE CONSTRAINT c", Effect::Harmless),
            ("ALTER TABLE t ALTER COLUMN a TYPE text", Effect::Anything),
            ("ALTER TABLE t ADD c int, DROP COLUMN a", Effect::Anything),
            ("ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i", Effect::Anything),
            ("CREATE OR REPLACE TABLE t (a int)", Effect::Anything),
            ("DROP TABLE t", Effect::Anything),
            ("DO $$ BEGIN END $$", Effect::Anything),
            ("DROP INDEX \"I\"", indexes(&["drop", "index", "I"])),
            ("ALTER INDEX a RENAME TO b", indexes(&["alter", "index", "a", "rename", "to", "b"])),
        ];
        for (statement, want) in rows {
            assert_eq!(effect(Engine::Postgres, statement), want, "{statement}");
        }
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        for text in
            ["CREATE INDEX i ON t (", "CREATE INDEX i ON t (a", "ALTER TABLE t ADD UNIQUE (", "CREATE INDEX", ""]
        {
            assert_eq!(told(Engine::Mysql, text), Vec::<String>::new(), "{text}");
        }
    }
}
