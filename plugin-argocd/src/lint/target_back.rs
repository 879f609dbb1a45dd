//! With `--base`: a target never goes back; `revertTo` does.

use schema_phases::{SchemaPhase, Target};

use super::{Context, Finding};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(base) = context.base else { return Vec::new() };
    let mut findings = Vec::new();
    for plan in &context.now.plans {
        let Some(old) = base.plans.iter().find(|old| old.plan.database.name == plan.plan.database.name) else {
            continue;
        };
        for is in &plan.plan.changes {
            let Some(was) = old.plan.changes.iter().find(|was| was.profile.name == is.profile.name) else { continue };
            let (name, soaked) = (&is.profile.name, was.soak.is_some());
            let (message, remedy) = match (was.target, is.target) {
                (Target::Reach(SchemaPhase::Contracted), Target::RevertTo(_)) => (
                    format!("{name} may already be contracted, and nothing leaves contracted"),
                    "make a change of its own that builds the old shape anew".to_owned(),
                ),
                // What a contract has hidden, this brings back; past its soak the run says that it comes too late.
                (Target::Reach(SchemaPhase::Contracted), Target::Reach(SchemaPhase::Migrated)) if soaked => continue,
                (Target::Reach(was), Target::Reach(is)) if is < was => (
                    format!("the target of {name} went back from {was} to {is}, which undoes nothing"),
                    format!("write revertTo: {is} instead of target"),
                ),
                (Target::Reach(_) | Target::RevertTo(_), Target::Reach(_) | Target::RevertTo(_)) => continue,
            };
            findings.push(Finding::error(&plan.path(&is.file), 0, message, remedy));
        }
    }
    findings
}
