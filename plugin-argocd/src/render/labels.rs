//! Metadata that everything rendered carries. Never the label of a live version: the runner's own pods are none.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Ask, naming::short};

/// Annotation that tells Argo CD when to apply an object.
const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";

/// Labels of everything that belongs to one database.
pub(super) fn labels(ask: &Ask<'_>) -> BTreeMap<String, String> {
    let database = &ask.declared.plan.database.name;
    [("app.kubernetes.io/managed-by", "phasegate"), ("phasegate.dev/database", database)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Labels of what is made anew for each plan.
pub(super) fn labels_of_plan(ask: &Ask<'_>) -> BTreeMap<String, String> {
    let mut labels = labels(ask);
    labels.insert("phasegate.dev/plan-digest".to_owned(), short(&ask.declared.plan.digest));
    labels
}

/// Name, namespace, labels and wave.
pub(super) fn metadata(ask: &Ask<'_>, name: String, labels: BTreeMap<String, String>) -> ObjectMeta {
    let wave = ask.params.sync_wave.map(|wave| BTreeMap::from([(SYNC_WAVE.to_owned(), wave.to_string())]));
    ObjectMeta {
        name: Some(name),
        namespace: Some(ask.namespace.as_str().to_owned()),
        labels: Some(labels),
        annotations: wave,
        ..ObjectMeta::default()
    }
}
