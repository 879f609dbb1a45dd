//! `sql`: files of plain SQL, one a phase, and the way back from each.

use std::collections::{BTreeMap, BTreeSet};

use schema_phases::{Conversion, Move, PhaseWindow, SchemaPhase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Alone, Engine, FileError, Step,
    declared::{Complaints, MAX_FILE, same_column, suggest},
    refactoring::{
        Promise,
        made_index::{self, Effect, MadeIndex, effect},
    },
    sql_text::statements,
};

/// Plain SQL files below `changes/`, one a phase. A phase without a file does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sql")]
pub(crate) struct PlainSqlForm {
    /// Adds the new shape beside the old one.
    expand: Option<String>,
    /// Makes every write keep both shapes equal.
    sync: Option<String>,
    /// Fills the rows written before.
    migrate: Option<String>,
    /// Takes the old shape away.
    contract: Option<String>,
    /// The files that lead back from each phase. Nothing leads back from contract.
    #[serde(default)]
    reverse: ReverseForm,
}

/// The files that lead back from each phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SqlReverse")]
struct ReverseForm {
    /// Undoes expand.
    expand: Option<String>,
    /// Undoes sync.
    sync: Option<String>,
    /// Undoes migrate.
    migrate: Option<String>,
}

/// Plain SQL, read and cut into statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainSql {
    tables: BTreeSet<String>,
    old_window: PhaseWindow,
    new_window: PhaseWindow,
    /// By the phase that is reached.
    pub(crate) forward: BTreeMap<SchemaPhase, SqlFile>,
    /// By the phase that is left.
    pub(crate) reverse: BTreeMap<SchemaPhase, SqlFile>,
}

/// One file of plain SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlFile {
    /// Relative to the plan's directory.
    pub(crate) path: String,
    pub(crate) text: String,
    statements: Vec<OneStatement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct OneStatement {
    text: String,
    /// Whether the engine refuses it inside a transaction.
    alone: bool,
}

impl PlainSqlForm {
    pub(crate) fn check(
        self,
        complaints: &mut Complaints<'_>,
        foreign: &mut Vec<FileError>,
        windows: Option<(PhaseWindow, PhaseWindow)>,
        tables: Option<BTreeSet<String>>,
        engine: Engine,
        files: &BTreeMap<String, String>,
    ) -> Option<PlainSql> {
        let Self { expand, sync, migrate, contract, reverse } = self;
        let phases = [
            (SchemaPhase::Expanded, "expand", expand, reverse.expand),
            (SchemaPhase::Synced, "sync", sync, reverse.sync),
            (SchemaPhase::Migrated, "migrate", migrate, reverse.migrate),
            (SchemaPhase::Contracted, "contract", contract, None),
        ];
        let (mut forward, mut back) = (BTreeMap::new(), BTreeMap::new());
        for (phase, field, there, home) in phases {
            let path = ["spec", "sql", field];
            if there.is_some() && home.is_none() && phase != SchemaPhase::Contracted {
                let remedy = format!(
                    "add `reverse: {{{field}: ...}}`; a file without statements says that nothing is to be undone"
                );
                complaints.add(&path, format!("nothing says how {field} is undone"), remedy);
            }
            if there.is_none() && home.is_some() {
                let path = ["spec", "sql", "reverse", field];
                complaints.add(&path, format!("there is no {field} to undo"), "remove it, or add the forward file");
            }
            if let Some(name) = there {
                forward.extend(read(complaints, foreign, &path, &name, engine, files).map(|file| (phase, file)));
            }
            if let Some(name) = home {
                let path = ["spec", "sql", "reverse", field];
                back.extend(read(complaints, foreign, &path, &name, engine, files).map(|file| (phase, file)));
            }
        }
        if forward.is_empty() && complaints.is_empty() && foreign.is_empty() {
            complaints.add(&["spec", "sql"], "there is no file in it", "add expand, sync, migrate or contract");
        }
        let ((old_window, new_window), tables) = (windows?, tables?);
        let this = PlainSql { tables, old_window, new_window, forward, reverse: back };
        if this.conversion() == Conversion::Rows && new_window.first() < SchemaPhase::Migrated {
            complaints.add(
                &["spec", "windows", "new"],
                format!(
                    "the new window begins at {}, before the rows are migrated: an early write destroys data",
                    new_window.first()
                ),
                "write migrated..contracted, or do without sync and migrate",
            );
        }
        Some(this)
    }
}

/// The file, read; a complaint when it is not there, and errors of its own when its text is at fault.
fn read(
    complaints: &mut Complaints<'_>,
    foreign: &mut Vec<FileError>,
    field: &[&str],
    name: &str,
    engine: Engine,
    files: &BTreeMap<String, String>,
) -> Option<SqlFile> {
    let start: String = name.chars().take(100).collect();
    let inside = !name.is_empty()
        && !name.contains(['\\', '\0', ':'])
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if !inside {
        complaints.add(
            field,
            format!("`{start}` does not name a file below changes/"),
            "write its name relative to changes/, without `..`",
        );
        return None;
    }
    let path = format!("changes/{name}");
    let Some(text) = files.get(&path) else {
        let known = files.keys().filter_map(|path| path.strip_prefix("changes/")).filter(|path| path.ends_with(".sql"));
        let known: Vec<&str> = known.collect();
        let remedy = if known.is_empty() {
            "add the file".to_owned()
        } else {
            format!("add it; {}", suggest(name, known.iter().copied()))
        };
        complaints.add(field, format!("there is no file {path}"), remedy);
        return None;
    };
    let mut wrong = |line: Option<u32>, message: String, remedy: &str| {
        foreign.push(FileError { file: path.clone(), line, field: None, message, remedy: remedy.to_owned() });
    };
    if text.len() > MAX_FILE {
        wrong(None, format!("the file has {} bytes; at most {MAX_FILE} are read", text.len()), "move data out of it");
        return None;
    }
    let cut = match statements(engine, text) {
        Ok(cut) => cut,
        Err(bad) => {
            wrong(Some(bad.line), bad.what, "close it");
            return None;
        }
    };
    for statement in &cut {
        if statement.is_transaction_control() {
            let words: String = statement.text.chars().take(40).collect();
            wrong(
                Some(statement.line),
                format!("`{words}` controls transactions, which the runner does"),
                "remove it: each statement is a transaction of its own",
            );
        } else if statement.begins(&["DELIMITER"]) {
            let remedy = "leave it out: the end of a body is found without it";
            wrong(Some(statement.line), "DELIMITER is a command of the mysql client and no SQL".into(), remedy);
        } else if statement.text.starts_with('\\') {
            wrong(Some(statement.line), "a command of psql is no SQL".into(), "write the SQL it stands for");
        }
    }
    let statements = cut
        .iter()
        .map(|statement| OneStatement { text: statement.text.to_owned(), alone: statement.is_alone(engine) })
        .collect();
    Some(SqlFile { path, text: text.clone(), statements })
}

impl PlainSql {
    fn conversion(&self) -> Conversion {
        let fills = [SchemaPhase::Synced, SchemaPhase::Migrated].iter().any(|phase| self.forward.contains_key(phase));
        if fills { Conversion::Rows } else { Conversion::None }
    }

    pub(crate) fn promise(&self) -> Promise {
        Promise {
            tables: self.tables.clone(),
            old_window: self.old_window,
            new_window: self.new_window,
            conversion: self.conversion(),
        }
    }

    pub(crate) fn files(&self) -> BTreeSet<String> {
        self.forward.values().chain(self.reverse.values()).map(|file| file.path.clone()).collect()
    }

    /// Over the texts by phase: another file name runs nothing else.
    pub(crate) fn definition(&self) -> String {
        let there = self.forward.iter().map(|(phase, file)| (format!("sql to {phase}"), file.text.clone()));
        let back = self.reverse.iter().map(|(phase, file)| (format!("sql from {phase}"), file.text.clone()));
        crate::digest::of_texts(&there.chain(back).collect())
    }

    /// The indexes that its files up to `phase` make on the tables it declares, each with its table as declared. Those that
    /// another of its statements may have taken away since are left out.
    pub(crate) fn indexes(&self, engine: Engine, phase: SchemaPhase) -> Vec<(String, MadeIndex)> {
        let last = |name: &str| made_index::last(name);
        let mut standing: Vec<(String, MadeIndex)> = Vec::new();
        let done = self.forward.range(..=phase).map(|(_, file)| (file, true));
        // Whoever came back from a later phase has run what leads back from it.
        let undone = self.reverse.iter().filter(|(from, _)| **from > phase).map(|(_, file)| (file, false));
        for (file, makes) in done.chain(undone) {
            for statement in &file.statements {
                let effect = effect(engine, &statement.text);
                standing.retain(|(_, index)| !effect.takes(index));
                let made = if makes { made_index::made(engine, &statement.text) } else { Vec::new() };
                standing.extend(made.into_iter().filter_map(|(named, index)| {
                    let declared = self.tables.iter().find(|table| {
                        **table == named
                            || ((!table.contains('.') || !named.contains('.'))
                                && same_column(engine, &last(table), &last(&named)))
                    })?;
                    Some((declared.clone(), index))
                }));
            }
        }
        standing
    }

    /// Whether any of its statements may have taken the index away, or altered it.
    pub(crate) fn may_take(&self, engine: Engine, index: &MadeIndex) -> bool {
        self.texts().any(|text| effect(engine, text).takes(index))
    }

    /// Whether any of its statements may have altered columns.
    pub(crate) fn may_alter(&self, engine: Engine) -> bool {
        self.texts().any(|text| effect(engine, text) == Effect::Anything)
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let files = self.forward.values().chain(self.reverse.values());
        files.flat_map(|file| file.statements.iter().map(|statement| statement.text.as_str()))
    }

    pub(crate) fn steps(&self, step: Move) -> Vec<Step> {
        let (files, phase) = if step.is_forward() { (&self.forward, step.to()) } else { (&self.reverse, step.from()) };
        let Some(file) = files.get(&phase) else { return Vec::new() };
        let count = file.statements.len();
        let one = |(at, statement): (usize, &OneStatement)| {
            let what = format!("{}, statement {} of {count}", file.path, at.saturating_add(1));
            if statement.alone {
                Step::Alone(Alone { what, statement: statement.text.clone(), ..Alone::default() })
            } else {
                // It takes the locks it needs; an UPDATE must not wait for an exclusive one.
                Step::Transaction { what, tables: Vec::new(), statements: vec![statement.text.clone()] }
            }
        };
        file.statements.iter().enumerate().map(one).collect()
    }
}
