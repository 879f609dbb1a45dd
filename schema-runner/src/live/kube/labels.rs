//! The label and the annotation by which a pod template says which database it uses, and what it supports.

use super::objects::Metadata;

/// The names for one database.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    label: String,
    annotation: String,
    home: String,
}

impl Naming {
    pub(super) fn new(database: &str, home: &str) -> Self {
        Self {
            label: format!("database.phasegate.dev/{database}"),
            annotation: format!("supports.phasegate.dev/{database}"),
            home: home.to_owned(),
        }
    }

    /// The same, for reading objects of one namespace.
    pub(super) fn within<'a>(&'a self, namespace: &'a str) -> Here<'a> {
        Here { naming: self, namespace }
    }
}

/// The names, as read in one namespace.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    naming: &'a Naming,
    pub(super) namespace: &'a str,
}

impl Here<'_> {
    /// Whether these labels mean this database: an empty value means the one in the same namespace, any other names
    /// the database's namespace.
    pub(super) fn is_labelled(&self, metadata: &Metadata) -> bool {
        metadata.labels.get(&self.naming.label).is_some_and(|value| {
            let meant = if value.is_empty() { self.namespace } else { value };
            meant == self.naming.home
        })
    }

    /// What is supported; empty when nothing is said.
    pub(super) fn supports(&self, metadata: &Metadata) -> String {
        metadata.annotations.get(&self.naming.annotation).cloned().unwrap_or_default()
    }
}
