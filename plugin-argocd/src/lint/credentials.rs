//! The credential that may change the schema belongs to the runner alone. What the Database itself declares of its apps
//! `schema-changes` has judged; here are their pods.

use schema_changes::SecretKey;

use super::{Context, Finding};
use crate::manifest::{
    node::Node,
    workload::{Version, command_line, runs_phasegate},
};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for version in context.now.versions().iter().filter(|version| !is_a_runner(version)) {
        for plan in &context.now.plans {
            let runner = &plan.plan.database.runner;
            let held = secrets(version).into_iter().find(|held| held.gives(runner));
            findings.extend(held.map(|held| {
                Finding::error(
                    &version.written_in.file,
                    held.line,
                    format!(
                        "{} uses the Secret {}, with which the runner of {} changes the schema",
                        version.title(),
                        runner.name,
                        plan.plan.database.name
                    ),
                    "give the application a user of its own that may not run DDL",
                )
            }));
        }
    }
    findings
}

/// A Job somebody wrote by hand for `phasegate run`.
pub(super) fn is_a_runner(version: &Version<'_>) -> bool {
    version.containers().any(|container| runs_phasegate(container) && command_line(container).contains(&"run"))
}

/// A Secret that a pod sees, and which of its keys.
pub(super) struct Held<'a> {
    pub(super) name: &'a str,
    /// None: all of them.
    keys: Option<Vec<&'a str>>,
    pub(super) line: u32,
}

impl Held<'_> {
    fn gives(&self, wanted: &SecretKey) -> bool {
        self.name == wanted.name && self.keys.as_ref().is_none_or(|keys| keys.contains(&wanted.key.as_str()))
    }
}

/// Every Secret in the environment or the volumes of a version's pods.
pub(super) fn secrets<'a>(version: &Version<'a>) -> Vec<Held<'a>> {
    let mut held = Vec::new();
    for container in version.containers() {
        for variable in container.list(&["env"]) {
            let Some(reference) = variable.at(&["valueFrom", "secretKeyRef"]) else { continue };
            let keys = reference.text(&["key"]).map(|key| vec![key]);
            held.extend(reference.text(&["name"]).map(|name| Held { name, keys, line: reference.line }));
        }
        for source in container.list(&["envFrom"]) {
            let name = source.text(&["secretRef", "name"]);
            held.extend(name.map(|name| Held { name, keys: None, line: source.line }));
        }
    }
    for volume in version.pod_spec().map_or(&[][..], |spec| spec.list(&["volumes"])) {
        held.extend(volume.at(&["secret"]).and_then(|secret| in_volume(secret, "secretName")));
        for source in volume.list(&["projected", "sources"]) {
            held.extend(source.at(&["secret"]).and_then(|secret| in_volume(secret, "name")));
        }
    }
    held
}

fn in_volume<'a>(secret: &'a Node, name: &str) -> Option<Held<'a>> {
    let items = secret.list(&["items"]);
    let keys = (!items.is_empty()).then(|| items.iter().filter_map(|item| item.text(&["key"])).collect());
    Some(Held { name: secret.text(&[name])?, keys, line: secret.line })
}
