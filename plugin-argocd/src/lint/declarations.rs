//! What `schema-changes` says of a plan by itself: unsafe SQL and its own traps, under the names of its own rules.

use schema_changes::{Finding as Advice, Severity as Badness};

use super::{Context, Finding, Severity};
use crate::problem::Problem;

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for plan in &context.now.plans {
        for Advice { file, line, rule, severity, message, remedy } in schema_changes::lint(&plan.plan) {
            let severity = match severity {
                Badness::Error => Severity::Error,
                Badness::Warning => Severity::Warning,
            };
            let what = Problem { place: plan.path(&file), line, field: None, message, remedy };
            findings.push(Finding { rule, severity, what });
        }
    }
    findings
}
