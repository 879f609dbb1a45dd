//! Who holds which Secret: applications must not be able to change the schema, nor the gate.

use super::{Finding, Severity};
use crate::Plan;

pub(super) fn check(plan: &Plan) -> Vec<Finding> {
    let database = &plan.database;
    let finding = |message: String, remedy: &str| Finding {
        file: "phasegate.yaml".to_owned(),
        line: None,
        rule: "credentials",
        severity: Severity::Error,
        message,
        remedy: remedy.to_owned(),
    };
    let mut found = Vec::new();
    if database.app_secrets.contains(&database.runner.name) {
        found.push(finding(
            format!("applications use `{}`, with which the runner changes the schema", database.runner.name),
            "give them a role that may not run DDL, in a Secret of its own",
        ));
    }
    if database.gate == database.runner {
        found.push(finding(
            format!("the gate uses `{}`, with which the runner changes the schema", database.runner.name),
            "give it a role that may only read the ledger, in a Secret of its own",
        ));
    }
    found
}
