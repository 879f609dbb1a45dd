//! The ConfigMap of fixed name: where the database is, how the gate reads it, and which plan Git wants.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::{
    Ask,
    labels::{labels_of_plan, metadata},
    naming,
};

/// The version of the keys below; gate and runner refuse another.
const FORMAT: &str = "1";

pub(super) fn wanted(ask: &Ask<'_>) -> ConfigMap {
    let plan = &ask.declared.plan;
    let database = &plan.database;
    let data: BTreeMap<String, String> = [
        ("format", FORMAT.to_owned()),
        ("database", database.name.clone()),
        ("engine", database.engine.as_str().to_owned()),
        ("gate-secret", database.gate.name.clone()),
        ("gate-key", database.gate.key.clone()),
        ("namespaces", database.namespaces.join(",")),
        ("wanted-digest", plan.digest.to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    ConfigMap {
        metadata: metadata(ask, naming::wanted(&database.name), labels_of_plan(ask)),
        data: Some(data),
        ..ConfigMap::default()
    }
}
