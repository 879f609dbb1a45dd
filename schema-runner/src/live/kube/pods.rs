//! Which pods are live: those that are labelled, or owned by something labelled, until their object is gone.

use std::collections::{BTreeMap, BTreeSet};

use schema_phases::AppVersion;
use serde_json::Value;

use super::{
    labels::Here,
    objects::{Object, Owned},
};
use crate::live::{LiveVersion, Presence};

/// The versions of the live pods, one for all pods of the same owner that say the same; and the pods that say nothing
/// and use one of the applications' Secrets.
pub(super) fn live(
    here: &Here<'_>,
    pods: &[Object],
    owned: &Owned,
    app_secrets: &BTreeSet<String>,
) -> Vec<LiveVersion> {
    let mut groups: BTreeMap<(String, String, Presence), Vec<&str>> = BTreeMap::new();
    let mut live = Vec::new();
    for pod in pods.iter().filter(|pod| !is_over(pod)) {
        if here.is_labelled(&pod.metadata) || owned.owns(&pod.metadata) {
            let owner = pod.metadata.owners.first();
            let group = owner.map_or_else(|| format!("Pod {}", pod.name), |(kind, name)| format!("{kind} {name}"));
            groups.entry((group, here.supports(&pod.metadata), presence(pod))).or_default().push(&pod.name);
        } else if let Some(secret) = used_secret(pod, app_secrets) {
            // Nobody knows what it is built for; the old shape is what everything was built for once.
            let name = format!("{} (unlabelled, uses the Secret {secret})", pod.called(here.namespace));
            let version = AppVersion { name, annotation: String::new() };
            live.push(LiveVersion { version, presence: Presence::Unlabelled });
        }
    }
    live.extend(groups.into_iter().map(|((group, annotation, presence), pods)| {
        let pods = match pods.as_slice() {
            [pod] => format!("pod {pod}"),
            many => format!("{} pods", many.len()),
        };
        let name = format!("{}/{group} ({pods})", here.namespace);
        LiveVersion { version: AppVersion { name, annotation }, presence }
    }));
    live
}

/// Only Succeeded and Failed are over. A terminating pod still serves, and one of an unknown phase may.
fn is_over(pod: &Object) -> bool {
    matches!(pod.text("/status/phase"), Some("Succeeded" | "Failed"))
}

/// A pod that is Pending has not started a container of its own yet, sidecars apart: it may be waiting in front of its
/// gate.
fn presence(pod: &Object) -> Presence {
    match pod.text("/status/phase") {
        None | Some("Pending") => Presence::Startable,
        Some(_) => Presence::Running,
    }
}

/// One of `secrets` that the pod's spec refers to, in whatever way.
fn used_secret<'a>(pod: &Object, secrets: &'a BTreeSet<String>) -> Option<&'a str> {
    let spec = pod.data.pointer("/spec")?;
    secrets.iter().map(String::as_str).find(|secret| refers_to(spec, secret))
}

/// Secrets are named under `secretKeyRef`, `secretRef` and a projected `secret` as `name`, and in a volume's `secret` as
/// `secretName`.
fn refers_to(value: &Value, secret: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, inner)| {
            let named = |field: &str| inner.get(field).and_then(Value::as_str) == Some(secret);
            match key.as_str() {
                "secretKeyRef" | "secretRef" => named("name"),
                "secret" => named("name") || named("secretName"),
                _ => refers_to(inner, secret),
            }
        }),
        Value::Array(items) => items.iter().any(|item| refers_to(item, secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
