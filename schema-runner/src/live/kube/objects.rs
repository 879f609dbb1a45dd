//! The few fields of Kubernetes objects that matter here. Everything else is passed over.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::DynamicObject;
use serde_json::Value;

use super::api::Kind;

/// An object of any kind.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) metadata: Metadata,
    pub(super) data: Value,
}

/// What labels, annotations and owners say; of an object, or of a pod template in one.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    /// Kind and name of each owner. Names are enough within a namespace: an owner that was made anew under the same
    /// name counts as the same, which errs towards more live versions.
    pub(super) owners: Vec<(String, String)>,
    pub(super) generation: Option<i64>,
    /// RFC 3339 in UTC, to the second: compares as text, and only with others of the same API.
    pub(super) created: Option<String>,
    pub(super) terminating: bool,
}

/// The labelled owners found so far: what they own is live even when it bears no label itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Owned(BTreeSet<(String, String)>);

impl Owned {
    pub(super) fn add(&mut self, object: &Object) {
        self.0.insert((object.kind.as_str().to_owned(), object.name.clone()));
    }

    pub(super) fn owns(&self, metadata: &Metadata) -> bool {
        metadata.owners.iter().any(|owner| self.0.contains(owner))
    }
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let Some(Value::Object(fields)) = value else { return BTreeMap::new() };
    fields.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

impl Object {
    /// Refuses an object without a name: nothing could be said of it.
    pub(super) fn read(kind: Kind, object: DynamicObject) -> Result<Self, String> {
        let DynamicObject { types: _, metadata, data } = object;
        let name = metadata.name.ok_or_else(|| format!("the API listed a {} without a name", kind.as_str()))?;
        let owners = metadata.owner_references.unwrap_or_default();
        Ok(Self {
            kind,
            name,
            metadata: Metadata {
                labels: metadata.labels.unwrap_or_default(),
                annotations: metadata.annotations.unwrap_or_default(),
                owners: owners.into_iter().map(|owner| (owner.kind, owner.name)).collect(),
                generation: metadata.generation,
                created: metadata.creation_timestamp.map(|time| time.0.to_string()),
                terminating: metadata.deletion_timestamp.is_some(),
            },
            data,
        })
    }

    /// Whether somebody asked for its removal.
    pub(super) const fn is_terminating(&self) -> bool {
        self.metadata.terminating
    }

    /// What people call it.
    pub(super) fn called(&self, namespace: &str) -> String {
        format!("{namespace}/{} {}", self.kind.as_str(), self.name)
    }

    /// The metadata of a pod template in it.
    pub(super) fn template(&self, pointer: &str) -> Option<Metadata> {
        template(self.data.pointer(pointer)?)
    }

    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.data.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self, pointer: &str) -> i64 {
        self.data.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
    }

    /// Kind and name of what a Rollout takes its template from.
    pub(super) fn workload_ref(&self) -> Option<(&str, &str)> {
        (self.kind == Kind::Rollout)
            .then(|| Some((self.text("/spec/workloadRef/kind")?, self.text("/spec/workloadRef/name")?)))
            .flatten()
    }
}

/// The metadata of the pod template `value`; a template without any metadata is one without labels.
pub(super) fn template(value: &Value) -> Option<Metadata> {
    value.is_object().then(|| Metadata {
        labels: texts(value.pointer("/metadata/labels")),
        annotations: texts(value.pointer("/metadata/annotations")),
        ..Metadata::default()
    })
}
