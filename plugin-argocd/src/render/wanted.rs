//! The ConfigMap of fixed name: where the database is, how the gate reads it, and which plan Git wants.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use schema_changes::{IntegrityQuery, Replica, SecretKey};
use serde::Serialize;

use super::{
    Ask,
    labels::{labels_of_plan, metadata},
    naming,
};

/// The version of the keys below; gate and runner refuse another.
const FORMAT: &str = "1";

/// One entry of the list `integrity`, which the gate asks.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Query<'a> {
    name: &'a str,
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<u64>,
}

/// One entry of the list `replicas`, which the gate reads too.
#[derive(Serialize)]
struct Copy<'a> {
    name: &'a str,
    secret: &'a str,
    key: &'a str,
}

/// # Errors
/// None that can happen: every field is text or a number.
pub(super) fn wanted(ask: &Ask<'_>) -> serde_json::Result<ConfigMap> {
    let plan = &ask.declared.plan;
    let database = &plan.database;
    let mut data: BTreeMap<String, String> = [
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
    let integrity: Vec<Query<'_>> = database
        .integrity
        .iter()
        .map(|IntegrityQuery { name, query, at_most }| Query { name, query, at_most: *at_most })
        .collect();
    let replicas: Vec<Copy<'_>> = database
        .replicas
        .iter()
        .map(|Replica { name, gate: SecretKey { name: secret, key } }| Copy { name, secret, key })
        .collect();
    // Absent where nothing is declared: what was rendered before stays as it is.
    if !integrity.is_empty() {
        data.insert("integrity".to_owned(), serde_json::to_string(&integrity)?);
    }
    if !replicas.is_empty() {
        data.insert("replicas".to_owned(), serde_json::to_string(&replicas)?);
    }
    Ok(ConfigMap {
        metadata: metadata(ask, naming::wanted(&database.name), labels_of_plan(ask)),
        data: Some(data),
        ..ConfigMap::default()
    })
}
