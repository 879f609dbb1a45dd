//! The "deploy together" trap: a canary and a stable version that share no phase can never serve side by side.

use super::{
    Context, Finding,
    versions::{Use, live_changes, uses},
};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let before = context.base.map(uses).unwrap_or_default();
    for used in uses(context.now) {
        match before.iter().find(|other| same(other, &used)) {
            Some(other) => findings.extend(with_the_version_before(&used, other)),
            // Without history: the version before may have been of the old shape.
            None => findings.extend(with_the_old_shape(&used)),
        }
    }
    findings.extend(side_by_side(&uses(context.now)));
    findings
}

/// Two workloads of one commit serve at the same time too.
fn side_by_side(all: &[Use<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, one) in all.iter().enumerate() {
        for other in all.iter().skip(index + 1).filter(|other| std::ptr::eq(other.plan, one.plan)) {
            for ((change, window), (_, theirs)) in one.windows().into_iter().zip(other.windows()) {
                if !window.meets(theirs) {
                    findings.push(Finding::error(
                        other.file(),
                        other.line(),
                        format!(
                            "{} works with {} in {theirs}, and {} in {window}: no phase suits both",
                            other.version.title(),
                            change.profile.name,
                            one.version.title()
                        ),
                        "let one of them support both shapes until the other follows",
                    ));
                }
            }
        }
    }
    findings
}

fn same(one: &Use<'_>, other: &Use<'_>) -> bool {
    let (a, b) = (one.version.owner, other.version.owner);
    (&a.kind, &a.name, &a.namespace) == (&b.kind, &b.name, &b.namespace)
        && one.plan.plan.database.name == other.plan.plan.database.name
}

fn with_the_old_shape(used: &Use<'_>) -> Vec<Finding> {
    used.windows()
        .into_iter()
        .filter(|(change, window)| !window.meets(change.profile.old_window))
        .map(|(change, window)| {
            let name = &change.profile.name;
            Finding::error(
                used.file(),
                used.line(),
                format!(
                    "{} works with {name} in {window} only, and a version of the old shape in {}: no phase suits both, \
                     so they can never serve side by side",
                    used.version.title(),
                    change.profile.old_window
                ),
                format!("let a version in between support both, for example {name}={}", change.profile.new_window),
            )
        })
        .collect()
}

fn with_the_version_before(used: &Use<'_>, before: &Use<'_>) -> Vec<Finding> {
    // Both are judged by the changes of this commit: those are what the schema will go through.
    let live = live_changes(&used.plan.plan);
    let stable = before.app_version();
    used.windows()
        .into_iter()
        .filter_map(|(change, window)| Some((change, window, stable.window(&change.profile, &live).ok()?)))
        .filter(|(_, window, stable)| !window.meets(*stable))
        .map(|(change, window, stable)| {
            let name = &change.profile.name;
            Finding::error(
                used.file(),
                used.line(),
                format!(
                    "{} works with {name} in {window}, and its version before this commit in {stable}: no phase suits \
                     both, so the canary is refused",
                    used.version.title()
                ),
                "let a version in between support both",
            )
        })
        .collect()
}
