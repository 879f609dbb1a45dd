//! With `--base`: a change that may have begun must not become another one.

use schema_phases::{SchemaPhase, Target};

use super::{Context, Finding};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(base) = context.base else { return Vec::new() };
    let mut findings = Vec::new();
    for plan in &context.now.plans {
        let Some(old) = base.plans.iter().find(|old| old.plan.database.name == plan.plan.database.name) else {
            continue;
        };
        for was in old.plan.changes.iter().filter(|was| may_have_begun(was.target)) {
            let same_name = |is: &&schema_changes::SchemaChange| is.profile.name == was.profile.name;
            let Some(is) = plan.plan.changes.iter().find(same_name) else { continue };
            let place = plan.path(&is.file);
            if is.definition != was.definition {
                findings.push(Finding::error(
                    &place,
                    0,
                    format!("{} may already be applied, and says something else than before", is.profile.name),
                    "restore it, and put what is new into a change of its own; only target, revertTo and acceptLoss may differ",
                ));
            }
            for earlier in plan.plan.changes.iter().filter(|other| other.profile.order < is.profile.order) {
                let known = old.plan.changes.iter().find(|other| other.profile.name == earlier.profile.name);
                let was_later = known.is_none_or(|known| known.profile.order > was.profile.order);
                if was_later && earlier.profile.shares_table_with(&is.profile) {
                    findings.push(Finding::error(
                        &plan.path(&earlier.file),
                        0,
                        format!(
                            "{} now comes before {}, which may already be applied",
                            earlier.profile.name, is.profile.name
                        ),
                        "give its file a name that sorts after it",
                    ));
                }
            }
        }
    }
    findings
}

/// No file says what a database has seen; what was asked for may have happened.
pub(super) fn may_have_begun(target: Target) -> bool {
    target != Target::Reach(SchemaPhase::Pending)
}
