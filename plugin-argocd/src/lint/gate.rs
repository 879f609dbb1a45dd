//! Labelled workloads that let a version in without asking. Blue-green Rollouts have a rule of their own.

use super::{
    Context, Finding, Severity, line_of, step,
    versions::{Need, need_of_a_gate},
};
use crate::manifest::{
    node::Node,
    workload::{Version, WorkloadKind},
};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    context.now.versions().iter().filter_map(|version| finding(context, version)).collect()
}

fn finding(context: &Context<'_>, version: &Version<'_>) -> Option<Finding> {
    let severity = severity(need_of_a_gate(version, context.now))?;
    if version.databases().next().is_none() || version.has_waiting_check() {
        return None;
    }
    let rollout = version.kind == WorkloadKind::Rollout;
    if rollout && (version.blue_green().is_some() || has_gate_in_steps(context, version)) {
        return None;
    }
    let line = line_of(version.owner.root.at(&["spec", "strategy"]).filter(|_| rollout), version.line());
    let remedy = if rollout {
        format!(
            "begin spec.strategy.canary.steps with plugin: {{name: {}}}, or add the init container phasegate check --wait",
            context.step
        )
    } else {
        "add the init container phasegate check --wait".to_owned()
    };
    let message = format!("{} lets its pods in without asking whether the schema suits them", version.title());
    Some(Finding::new(severity, &version.owner.file, line, message, remedy))
}

/// What an open door is worth, by what can come through it.
pub(super) const fn severity(need: Need) -> Option<Severity> {
    match need {
        Need::None => None,
        Need::Late => Some(Severity::Warning),
        Need::Now => Some(Severity::Error),
    }
}

/// A step of ours, or an analysis step with the AnalysisTemplate we ship.
fn has_gate_in_steps(context: &Context<'_>, version: &Version<'_>) -> bool {
    step::steps(version).iter().any(|step| step::is_gate(context, step) || is_our_analysis(step.at(&["analysis"])))
}

/// Whether an analysis runs the template we ship.
pub(super) fn is_our_analysis(analysis: Option<&Node>) -> bool {
    let templates = analysis.map_or(&[][..], |analysis| analysis.list(&["templates"]));
    templates.iter().any(|template| template.text(&["templateName"]).is_some_and(|name| name.contains("phasegate")))
}
