//! A Rollout whose progress deadline ends before the wait: Argo Rollouts then never calls the step again (argo.md B2). It
//! goes on with the analysis of a blue-green Rollout, unless that is to be aborted.

use super::{Context, Finding, gate::is_our_analysis, line_of, step};
use crate::manifest::{node::Node, workload::WorkloadKind};

/// What Argo Rollouts takes when nothing is written.
const DEFAULT_SECONDS: u64 = 600;

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for version in context.now.versions().iter().filter(|version| version.kind == WorkloadKind::Rollout) {
        let asked_in_a_step = step::steps(version).iter().any(|step| step::is_gate(context, step));
        let promotion = ["spec", "strategy", "blueGreen", "prePromotionAnalysis"];
        if !asked_in_a_step && !is_our_analysis(version.owner.root.at(&promotion)) {
            continue;
        }
        let spec = version.owner.root.at(&["spec"]);
        let line = line_of(spec, version.line());
        let written = spec.and_then(|spec| spec.at(&["progressDeadlineSeconds"]));
        let seconds = match written.map(Node::as_integer) {
            None => DEFAULT_SECONDS,
            Some(number) => number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0),
        };
        let wanted = context.wait_seconds;
        if asked_in_a_step && seconds < wanted {
            let says = if written.is_some() { "is" } else { "is by default" };
            findings.push(Finding::error(
                &version.owner.file,
                line_of(written, line),
                format!(
                    "progressDeadlineSeconds of {} {says} {seconds}, and the schema may take {wanted}: after the deadline \
                     the step is never called again",
                    version.title()
                ),
                format!(
                    "set progressDeadlineSeconds: {wanted}, wait with the AnalysisTemplate instead, or give --wait if it \
                     is shorter"
                ),
            ));
        }
        let abort = spec.and_then(|spec| spec.at(&["progressDeadlineAbort"])).filter(|node| node.is_true());
        findings.extend(abort.map(|node| {
            Finding::warning(
                &version.owner.file,
                node.line,
                format!("{} aborts when it waits longer than its progress deadline", version.title()),
                "remove progressDeadlineAbort, or expect a backfill that takes longer to end in an abort",
            )
        }));
    }
    findings
}
