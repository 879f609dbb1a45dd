//! Advice on a plan from its files alone. One rule a file; a rule says what is dangerous, why, and the safe way.
//!
//! Rules about pods and workloads live where manifests are read. A statement that no rule knows is left alone.

mod add_constraint;
mod add_not_null;
mod alter_type;
mod blocking_index;
mod conversion_may_fail;
mod credentials;
mod ddl_in_migrate;
mod detach_partition;
mod drop_too_early;
mod full_lock;
mod ignored_reference;
mod not_rerunnable;
mod one_sync_a_table;
mod order_of_changes;
mod rename;
mod rewriting_default;
mod script;
mod set_not_null;
mod silent_copy;
#[cfg(test)]
mod tests;
mod truncate;
mod unknown_change;
mod whole_table_write;

use std::fmt;

use crate::{
    Engine, Plan,
    lint::script::{Script, scripts},
    sql_text::Statement,
};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It breaks a live version, loses data or gives a right that nobody should have.
    Error,
    /// It may stall an application, or wait for something.
    Warning,
}

impl Severity {
    /// The word used in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What one rule says of one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the plan's directory.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The rule's name.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is dangerous, and why.
    pub message: String,
    /// The safe way.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {} [{}]: {}; {}", self.severity.as_str(), self.rule, self.message, self.remedy)
    }
}

/// What a rule says of a statement.
struct Advice {
    severity: Severity,
    message: String,
    remedy: &'static str,
}

impl Advice {
    fn error(message: impl Into<String>, remedy: &'static str) -> Self {
        Self { severity: Severity::Error, message: message.into(), remedy }
    }

    fn warning(message: impl Into<String>, remedy: &'static str) -> Self {
        Self { severity: Severity::Warning, message: message.into(), remedy }
    }
}

type StatementRule = fn(&Script<'_>, &Statement<'_>) -> Option<Advice>;
type PlanRule = fn(&Plan) -> Vec<Finding>;

/// What concerns one statement of a `sql` change.
const STATEMENT_RULES: [(&str, StatementRule); 16] = [
    ("add-constraint", add_constraint::check),
    ("add-not-null", add_not_null::check),
    ("alter-type", alter_type::check),
    ("blocking-index", blocking_index::check),
    ("ddl-in-migrate", ddl_in_migrate::check),
    ("detach-partition", detach_partition::check),
    ("drop-too-early", drop_too_early::check),
    ("full-lock", full_lock::check),
    ("ignored-reference", ignored_reference::check),
    ("not-rerunnable", not_rerunnable::check),
    ("rename", rename::check),
    ("rewriting-default", rewriting_default::check),
    ("set-not-null", set_not_null::check),
    ("silent-copy", silent_copy::check),
    ("truncate", truncate::check),
    ("whole-table-write", whole_table_write::check),
];

/// What concerns declarations.
const PLAN_RULES: [PlanRule; 5] = [
    conversion_may_fail::check,
    credentials::check,
    one_sync_a_table::check,
    order_of_changes::check,
    unknown_change::check,
];

/// Everything the rules say of a plan, by file and line.
pub fn lint(plan: &Plan) -> Vec<Finding> {
    let mut found: Vec<Finding> = PLAN_RULES.iter().flat_map(|rule| rule(plan)).collect();
    for script in scripts(plan) {
        for statement in &script.statements {
            for (rule, check) in STATEMENT_RULES {
                let advice = check(&script, statement);
                found.extend(advice.map(|Advice { severity, message, remedy }| Finding {
                    file: script.path.to_owned(),
                    line: Some(statement.line),
                    rule,
                    severity,
                    message,
                    remedy: remedy.to_owned(),
                }));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The rules about PostgreSQL's locks. SQLite has one writer anyway; for MariaDB and MySQL see `silent_copy`.
fn locks_tables(engine: Engine) -> bool {
    engine == Engine::Postgres
}

/// Whether the engine is MariaDB or MySQL.
fn is_mysql(engine: Engine) -> bool {
    matches!(engine, Engine::Mysql | Engine::Mariadb)
}
