//! With `--base`: a contract in the same commit as the version that can live with it.

use schema_phases::{SchemaPhase, Target};

use super::{
    Context, Finding,
    versions::{live_changes, uses},
};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(base) = context.base else { return Vec::new() };
    let before = uses(base);
    let mut findings = Vec::new();
    for plan in &context.now.plans {
        let live = live_changes(&plan.plan);
        let old = base.plans.iter().find(|other| other.plan.database.name == plan.plan.database.name);
        for change in plan.plan.changes.iter().filter(|change| change.target == Target::Reach(SchemaPhase::Contracted))
        {
            let name = &change.profile.name;
            let was = old.and_then(|old| old.plan.changes.iter().find(|other| other.profile.name == *name));
            if was.is_some_and(|was| was.target == change.target) {
                continue;
            }
            for used in before.iter().filter(|used| used.plan.plan.database.name == plan.plan.database.name) {
                let window = used.app_version().window(&change.profile, &live);
                let Some(window) = window.ok().filter(|window| !window.contains(SchemaPhase::Contracted)) else {
                    continue;
                };
                findings.push(Finding::error(
                    &plan.path(&change.file),
                    0,
                    format!(
                        "it asks for contracted in the commit that follows {}, which works only until {}",
                        used.version.title(),
                        window.last()
                    ),
                    format!(
                        "keep target: {} here, and contract in a commit of its own once that version is gone",
                        window.last()
                    ),
                ));
            }
        }
    }
    findings
}
