//! With `--base`: a change that may have begun must not vanish; the database would keep what nobody declares.

use super::{Context, Finding, edited::may_have_begun};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(base) = context.base else { return Vec::new() };
    let mut findings = Vec::new();
    for old in &base.plans {
        let name = &old.plan.database.name;
        let Some(plan) = context.now.plans.iter().find(|plan| plan.plan.database.name == *name) else {
            let begun = old.plan.changes.iter().filter(|was| may_have_begun(was.target)).count();
            if begun > 0 {
                findings.push(Finding::error(
                    &old.database_file(),
                    0,
                    format!("the database {name} is no longer declared, and {begun} of its changes may be applied"),
                    "restore it; a database that is gone for good leaves Git after its namespace does",
                ));
            }
            continue;
        };
        for was in old.plan.changes.iter().filter(|was| may_have_begun(was.target)) {
            if plan.plan.changes.iter().all(|is| is.profile.name != was.profile.name) {
                findings.push(Finding::error(
                    &old.path(&was.file),
                    0,
                    format!("the change {} is gone, and may already be applied", was.profile.name),
                    "restore it; to undo it, set revertTo: pending and remove it when `phasegate status` says pending",
                ));
            }
        }
    }
    findings
}
