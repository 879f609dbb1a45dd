//! Doors that Argo Rollouts opens past every step. An init container stands behind all of them.

use super::{
    Context, Finding, Severity, step,
    versions::{Need, need_of_a_gate},
};
use crate::manifest::workload::WorkloadKind;

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let versions = context.now.versions();
    let stepped = versions.iter().filter(|version| {
        version.kind == WorkloadKind::Rollout
            && !version.has_waiting_check()
            && version.databases().next().is_some()
            && step::steps(version).iter().any(|step| step::is_gate(context, step))
    });
    for version in stepped.filter(|version| need_of_a_gate(version, context.now) > Need::None) {
        let remedy = "add the init container phasegate check --wait, which every pod passes";
        let (file, title) = (&version.owner.file, version.title());
        if let Some(window) = version.owner.root.at(&["spec", "rollbackWindow"]) {
            let message = format!("{title} goes back within its rollbackWindow without running a step");
            findings.push(Finding::warning(file, window.line, message, remedy));
        }
        let message = format!("the first deploy of {title}, and promote --full, run no step");
        findings.push(Finding::new(Severity::Note, file, version.line(), message, remedy));
    }
    findings
}
