//! A file of plain SQL as the rules see it: which phase it serves, and what its statements do to which tables.

use std::collections::BTreeSet;

use schema_phases::SchemaPhase;

use crate::{
    Engine, Plan,
    refactoring::{Refactoring, plain_sql::SqlFile},
    sql_text::{Statement, Token, statements},
};

/// Where a file stands in its change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It leads to this phase.
    Forward(SchemaPhase),
    /// It leads back from this phase.
    Back(SchemaPhase),
}

/// One file, cut into statements.
pub(super) struct Script<'a> {
    pub(super) engine: Engine,
    pub(super) path: &'a str,
    pub(super) place: Place,
    pub(super) statements: Vec<Statement<'a>>,
    /// Tables that the file itself creates: nobody uses them yet.
    created: BTreeSet<String>,
}

/// Every file of every `sql` change.
pub(super) fn scripts(plan: &Plan) -> Vec<Script<'_>> {
    let engine = plan.database.engine;
    let mut found = Vec::new();
    for change in &plan.changes {
        let Refactoring::Sql(sql) = &change.refactoring else { continue };
        let forward = sql.forward.iter().map(|(phase, file)| (Place::Forward(*phase), file));
        let back = sql.reverse.iter().map(|(phase, file)| (Place::Back(*phase), file));
        found.extend(forward.chain(back).map(|(place, file)| script(engine, place, file)));
    }
    found
}

fn script(engine: Engine, place: Place, file: &SqlFile) -> Script<'_> {
    // It was cut once before, when the plan was read.
    let statements = statements(engine, &file.text).unwrap_or_default();
    let created = statements.iter().filter_map(|statement| created_table(engine, statement)).collect();
    Script { engine, path: &file.path, place, statements, created }
}

fn created_table(engine: Engine, statement: &Statement<'_>) -> Option<String> {
    if !statement.begins(&["CREATE"]) {
        return None;
    }
    let at = statement.tokens.iter().take(4).position(|token| token.is_word("TABLE"))?;
    let rest = statement.tokens.get(at.saturating_add(1)..)?;
    name(engine, skip(rest, &["IF", "NOT", "EXISTS"])).map(|(name, _)| name)
}

/// The pieces after these words, when they stand there.
fn skip<'t, 'a>(tokens: &'t [Token<'a>], words: &[&str]) -> &'t [Token<'a>] {
    let all = words.iter().enumerate().all(|(at, word)| tokens.get(at).is_some_and(|token| token.is_word(word)));
    if all { tokens.get(words.len()..).unwrap_or_default() } else { tokens }
}

/// A name, after its schema at most, and the pieces behind it.
fn name<'t, 'a>(engine: Engine, tokens: &'t [Token<'a>]) -> Option<(String, &'t [Token<'a>])> {
    let first = tokens.first()?.name(engine)?;
    match tokens.get(1..3) {
        Some([dot, second]) if dot.is_symbol(".") => {
            Some((format!("{first}.{}", second.name(engine)?), tokens.get(3..).unwrap_or_default()))
        }
        _ => Some((first, tokens.get(1..).unwrap_or_default())),
    }
}

impl Script<'_> {
    /// Whether the file itself creates the table.
    pub(super) fn creates(&self, table: &str) -> bool {
        self.created.contains(table)
    }

    /// Whether it goes towards `contracted`.
    pub(super) fn is_forward(&self) -> bool {
        matches!(self.place, Place::Forward(_))
    }

    /// The table that an index is made on.
    pub(super) fn indexed_table(&self, statement: &Statement<'_>) -> Option<String> {
        let at = statement.position(&["ON"])?;
        let rest = statement.tokens.get(at.saturating_add(1)..)?;
        name(self.engine, skip(rest, &["ONLY"])).map(|(name, _)| name)
    }

    /// The actions of an ALTER TABLE on a table that was there before; empty for any other statement.
    pub(super) fn actions<'t, 'a>(&self, statement: &'t Statement<'a>) -> Vec<&'t [Token<'a>]> {
        if !statement.begins(&["ALTER", "TABLE"]) {
            return Vec::new();
        }
        let rest = skip(skip(statement.tokens.get(2..).unwrap_or_default(), &["IF", "EXISTS"]), &["ONLY"]);
        let Some((table, rest)) = name(self.engine, rest) else { return Vec::new() };
        if self.creates(&table) { Vec::new() } else { at_commas(rest) }
    }
}

/// Cuts at the commas outside of parentheses.
fn at_commas<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            if token.is_symbol("(") {
                depth = depth.saturating_add(1);
            } else if token.is_symbol(")") {
                depth = depth.saturating_sub(1);
            }
            depth == 0 && token.is_symbol(",")
        })
        .collect()
}

/// Whether these words follow one another somewhere in the action.
pub(super) fn has(action: &[Token<'_>], words: &[&str]) -> bool {
    action.windows(words.len().max(1)).any(|window| window.iter().zip(words).all(|(token, word)| token.is_word(word)))
}

/// Whether the action begins with these words.
pub(super) fn begins(action: &[Token<'_>], words: &[&str]) -> bool {
    words.iter().enumerate().all(|(at, word)| action.get(at).is_some_and(|token| token.is_word(word)))
}

/// Whether the action adds a column, and not a constraint.
pub(super) fn adds_column(action: &[Token<'_>]) -> bool {
    let constraint = ["CONSTRAINT", "CHECK", "FOREIGN", "UNIQUE", "PRIMARY", "EXCLUDE", "GENERATED"];
    begins(action, &["ADD"]) && !constraint.iter().any(|word| action.get(1).is_some_and(|token| token.is_word(word)))
}
