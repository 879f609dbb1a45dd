//! Two changes that want triggers on one table.

use schema_phases::{SchemaPhase, Target};

use super::{Finding, Severity};
use crate::{Plan, SchemaChange};

pub(super) fn check(plan: &Plan) -> Vec<Finding> {
    let syncing = |change: &&SchemaChange| {
        let asked = match change.target {
            Target::Reach(phase) => phase > SchemaPhase::Expanded && phase < SchemaPhase::Contracted,
            Target::RevertTo(_) => false,
        };
        asked && change.refactoring.syncs()
    };
    let mut found = Vec::new();
    let changes: Vec<&SchemaChange> = plan.changes.iter().filter(syncing).collect();
    for (at, later) in changes.iter().enumerate() {
        let Some(first) = changes.iter().take(at).find(|first| first.profile.shares_table_with(&later.profile)) else {
            continue;
        };
        found.push(Finding {
            file: later.file.clone(),
            line: None,
            rule: "one-sync-a-table",
            severity: Severity::Warning,
            message: format!(
                "`{}` keeps two shapes of a table equal, and so does `{}`: only one can at a time",
                later.profile.name, first.profile.name
            ),
            remedy: format!("it waits at expanded until `{}` is contracted or reverted", first.profile.name),
        });
    }
    found
}
