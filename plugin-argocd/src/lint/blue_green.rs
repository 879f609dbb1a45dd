//! Blue-green Rollouts call no step plugin: only an analysis before the promotion, or an init container, can hold them.

use super::{
    Context, Finding,
    gate::{is_our_analysis, severity},
    versions::need_of_a_gate,
};
use crate::manifest::workload::WorkloadKind;

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    context
        .now
        .versions()
        .iter()
        .filter(|version| version.kind == WorkloadKind::Rollout && version.databases().next().is_some())
        .filter_map(|version| {
            let strategy = version.blue_green()?;
            if version.has_waiting_check() || is_our_analysis(strategy.at(&["prePromotionAnalysis"])) {
                return None;
            }
            Some(Finding::new(
                severity(need_of_a_gate(version, context.now))?,
                &version.owner.file,
                strategy.line,
                format!("{} is blue-green, and is promoted without asking whether the schema suits it", version.title()),
                "add prePromotionAnalysis with the AnalysisTemplate of Phasegate, or the init container phasegate check --wait",
            ))
        })
        .collect()
}
