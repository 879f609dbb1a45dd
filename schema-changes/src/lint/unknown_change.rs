//! A version outside the cluster that names a change which does not exist.

use schema_phases::{Supports, nearest};

use super::{Finding, Severity};
use crate::Plan;

pub(super) fn check(plan: &Plan) -> Vec<Finding> {
    let known: Vec<&str> = plan.changes.iter().map(|change| change.profile.name.as_str()).collect();
    let mut found = Vec::new();
    for consumer in &plan.database.consumers {
        // The reader has refused what does not parse.
        let supports: Supports = consumer.supports.parse().unwrap_or_default();
        for name in supports.names().filter(|name| !known.contains(&name.as_str())) {
            let near = nearest(name.as_str(), known.iter().copied());
            let remedy = if near.is_empty() {
                "declare the change, or remove the name".to_owned()
            } else {
                format!("did you mean {}?", near.join(" or "))
            };
            found.push(Finding {
                file: "phasegate.yaml".to_owned(),
                line: None,
                rule: "unknown-change",
                severity: Severity::Error,
                message: format!(
                    "the consumer `{}` supports `{name}`, which is no change of this database",
                    consumer.name
                ),
                remedy,
            });
        }
    }
    found
}
