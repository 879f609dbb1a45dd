//! Pods that use a database's app Secret without its label: the runner cannot count them, and a contract waits for them.

use super::{
    Context, Finding,
    credentials::{is_a_runner, secrets},
};
use crate::manifest::workload::DATABASE_LABEL;

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for version in context.now.versions().iter().filter(|version| !is_a_runner(version)) {
        for plan in &context.now.plans {
            let database = &plan.plan.database;
            if version.uses(&database.name) {
                continue;
            }
            let held =
                secrets(version).into_iter().find(|held| database.app_secrets.iter().any(|app| app == held.name));
            findings.extend(held.map(|held| {
                Finding::error(
                    &version.written_in.file,
                    held.line,
                    format!(
                        "{} uses {} through the Secret {}, and is not labelled with it",
                        version.title(),
                        database.name,
                        held.name
                    ),
                    format!("add the label {DATABASE_LABEL}{}: \"\" to its pod template", database.name),
                )
            }));
        }
    }
    findings
}
