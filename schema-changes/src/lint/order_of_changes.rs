//! Targets that can only wait: changes on one table contract in order, and revert in reverse.

use schema_phases::{SchemaPhase, Target};

use super::{Finding, Severity};
use crate::Plan;

pub(super) fn check(plan: &Plan) -> Vec<Finding> {
    let mut found = Vec::new();
    let finding = |file: &str, message: String, remedy: String| Finding {
        file: file.to_owned(),
        line: None,
        rule: "order-of-changes",
        severity: Severity::Warning,
        message,
        remedy,
    };
    for (at, later) in plan.changes.iter().enumerate() {
        for earlier in plan.changes.iter().take(at).filter(|one| one.profile.shares_table_with(&later.profile)) {
            let (first, second) = (&earlier.profile.name, &later.profile.name);
            let contracts = Target::Reach(SchemaPhase::Contracted);
            if later.target == contracts && earlier.target != contracts {
                found.push(finding(
                    &later.file,
                    format!("`{second}` cannot contract before `{first}`, which stands before it on the same table"),
                    format!("contract `{first}` first"),
                ));
            }
            let stays = match later.target {
                Target::Reach(phase) => phase > SchemaPhase::Pending,
                Target::RevertTo(phase) => phase > SchemaPhase::Pending,
            };
            if matches!(earlier.target, Target::RevertTo(_)) && stays {
                found.push(finding(
                    &earlier.file,
                    format!("`{first}` cannot revert while `{second}`, which stands after it on the same table, is past pending"),
                    format!("revert `{second}` to pending first"),
                ));
            }
        }
    }
    found
}
