//! A version of this commit and a target of this commit that can never come together.

use schema_phases::Target;

use super::{Context, Finding, versions::uses};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for used in uses(context.now) {
        let title = used.version.title();
        for (change, window) in used.windows() {
            let name = &change.profile.name;
            let file = used.plan.path(&change.file);
            let (message, remedy) = match change.target {
                Target::Reach(target) if target < window.first() => (
                    format!(
                        "{title} needs {name} {}, and {file} asks for {target} only: it waits for ever",
                        window.first()
                    ),
                    format!("set target: {} in {file}", window.first()),
                ),
                Target::Reach(target) if target > window.last() => (
                    format!(
                        "{file} asks for {name} {target}, and {title} works only until {}: it blocks the move",
                        window.last()
                    ),
                    format!("keep target: {} until no version needs more", window.last()),
                ),
                Target::RevertTo(target) if target < window.first() => (
                    format!(
                        "{file} reverts {name} to {target}, and {title} needs {}: it blocks the move",
                        window.first()
                    ),
                    "go back to a version of the old shape first, in a commit before the revert".to_owned(),
                ),
                Target::Reach(_) | Target::RevertTo(_) => continue,
            };
            findings.push(Finding::error(used.file(), used.line(), message, remedy));
        }
    }
    findings
}
