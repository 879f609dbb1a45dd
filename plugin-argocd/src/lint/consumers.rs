//! Versions outside the cluster: judged by the same annotation, blocked by the same targets.

use schema_phases::{AppVersion, Target, Unclear};

use super::{Context, Finding, versions::live_changes};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for plan in &context.now.plans {
        let live = live_changes(&plan.plan);
        let place = plan.database_file();
        for consumer in &plan.plan.database.consumers {
            let name = format!("consumer {}", consumer.name);
            let version = AppVersion { name: name.clone(), annotation: consumer.supports.clone() };
            // An unknown name `schema-changes` reports.
            if let Err(unclear @ Unclear::EarlyWriter { .. }) = version.windows(&live) {
                let message = format!("spec.consumers: {name}: {unclear}");
                findings.push(Finding::error(&place, 0, message, "correct its supports: every move is judged by it"));
            }
            for change in &plan.plan.changes {
                let Ok(window) = version.window(&change.profile, &live) else { continue };
                let (Target::Reach(target) | Target::RevertTo(target)) = change.target;
                if !window.contains(target) {
                    let file = plan.path(&change.file);
                    let message =
                        format!("{name} works with {} in {window}, and {file} asks for {target}", change.profile.name);
                    let remedy = "wait until it follows, or remove it from spec.consumers once it has stopped";
                    findings.push(Finding::error(&place, 0, message, remedy));
                }
            }
        }
    }
    findings
}
