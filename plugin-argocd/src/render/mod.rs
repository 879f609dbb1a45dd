//! (declarations, parameters, namespace) -> objects. Pure: the same commit and parameters give the same objects.

mod access;
mod cronjob;
mod job;
mod labels;
pub(crate) mod naming;
mod plan;
mod pod;
mod wanted;

use std::collections::BTreeMap;

use k8s_openapi::api::{
    batch::v1::{CronJob, Job},
    core::v1::{ConfigMap, ServiceAccount},
    rbac::v1::{Role, RoleBinding},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    declared::{Declared, DeclaredPlan},
    kubernetes_syntax::is_label_name,
    manifest::ManifestFile,
    params::Params,
    problem::Problem,
};

/// Every kind that is emitted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Object {
    ServiceAccount(Box<ServiceAccount>),
    ConfigMap(Box<ConfigMap>),
    Role(Box<Role>),
    RoleBinding(Box<RoleBinding>),
    Job(Box<Job>),
    CronJob(Box<CronJob>),
    /// The app's own, as they are.
    PassedThrough(Box<ManifestFile>),
}

/// The namespace everything is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace(String);

impl Namespace {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks a name that Argo CD or a user gave.
    ///
    /// # Errors
    /// When there is none, or it cannot be one.
    pub(crate) fn new(name: Option<&str>) -> Result<Self, Problem> {
        let place = "namespace";
        match name.map(str::trim).filter(|name| !name.is_empty()) {
            None => Err(Problem::new(
                place,
                "nobody says which namespace to render for",
                "set spec.destination.namespace of the Application, or give --namespace on a laptop",
            )),
            Some(name) if is_label_name(name) => Ok(Self(name.to_owned())),
            Some(name) => {
                let shown: String = name.chars().take(80).collect();
                Err(Problem::new(place, format!("`{shown}` cannot name a namespace"), "use a-z, 0-9 and -"))
            }
        }
    }
}

/// What one database's objects are made of.
struct Ask<'a> {
    declared: &'a DeclaredPlan,
    params: &'a Params,
    namespace: &'a Namespace,
}

/// Renders everything, or says everything that keeps it from being rendered.
///
/// # Errors
/// A plan that cannot travel, no plan at all, and objects that would replace each other.
pub(crate) fn render(declared: &Declared, params: &Params, namespace: &Namespace) -> Result<Vec<Object>, Vec<Problem>> {
    if declared.plans.is_empty() {
        return Err(vec![Problem::new(
            ".",
            "there is no phasegate.yaml in this folder or below it, so nothing would be rendered",
            "add one, or point the Application's path at the folder that holds it",
        )]);
    }
    let mut objects = Vec::new();
    let mut problems = Vec::new();
    for plan in &declared.plans {
        match database(&Ask { declared: plan, params, namespace }) {
            Ok(more) => objects.extend(more),
            Err(more) => problems.extend(more),
        }
    }
    objects.sort_by(|a, b| a.rank().cmp(&b.rank()).then_with(|| a.key(namespace).cmp(&b.key(namespace))));
    objects.extend(declared.files.iter().cloned().map(Box::new).map(Object::PassedThrough));
    problems.extend(same_object_twice(&objects, namespace));
    if problems.is_empty() { Ok(objects) } else { Err(problems) }
}

/// Everything for one database.
fn database(ask: &Ask<'_>) -> Result<Vec<Object>, Vec<Problem>> {
    let parts = plan::parts(ask)?;
    let unwritable = |error: serde_json::Error| {
        vec![Problem::new(ask.declared.database_file(), format!("cannot write it: {error}"), "report this")]
    };
    let job = job::job(ask, &parts).map_err(unwritable)?;
    let mut objects = vec![Object::ConfigMap(Box::new(wanted::wanted(ask).map_err(unwritable)?))];
    objects.push(Object::CronJob(Box::new(cronjob::cron_job(ask, &job))));
    objects.push(Object::Job(Box::new(job)));
    objects.extend(parts.into_iter().map(|part| Object::ConfigMap(Box::new(part.config_map))));
    objects.extend(access::access(ask));
    Ok(objects)
}

/// Argo CD lets the last of two equal objects win and only warns.
fn same_object_twice(objects: &[Object], namespace: &Namespace) -> Vec<Problem> {
    let mut seen: BTreeMap<Key, String> = BTreeMap::new();
    let mut problems = Vec::new();
    for object in objects {
        for (key, place) in object.keys(namespace) {
            if key.name.is_empty() {
                continue;
            }
            if let Some(other) = seen.get(&key) {
                let Key { kind, namespace, name, .. } = &key;
                let message = format!("{kind}/{name} in namespace {namespace} is in {other} too");
                problems.push(Problem::new(place, message, "keep one; Argo CD would silently apply the last"));
            } else {
                seen.insert(key, place);
            }
        }
    }
    problems
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Object {
    /// The order in which Argo CD and kubectl apply them anyway: what a pod needs comes before it.
    const fn rank(&self) -> u8 {
        match self {
            Self::ServiceAccount(_) => 0,
            Self::ConfigMap(_) => 1,
            Self::Role(_) => 2,
            Self::RoleBinding(_) => 3,
            Self::Job(_) => 4,
            Self::CronJob(_) => 5,
            Self::PassedThrough(_) => 6,
        }
    }

    fn key(&self, namespace: &Namespace) -> Option<Key> {
        self.keys(namespace).into_iter().next().map(|(key, _)| key)
    }

    /// What it is, and where that comes from.
    fn keys(&self, namespace: &Namespace) -> Vec<(Key, String)> {
        let ours = |group: &str, kind: &str, metadata: &ObjectMeta| {
            let name = metadata.name.clone().unwrap_or_default();
            let namespace = metadata.namespace.clone().unwrap_or_else(|| namespace.as_str().to_owned());
            let key = Key { group: group.to_owned(), kind: kind.to_owned(), namespace, name };
            vec![(key, "what Phasegate renders".to_owned())]
        };
        match self {
            Self::ServiceAccount(it) => ours("", "ServiceAccount", &it.metadata),
            Self::ConfigMap(it) => ours("", "ConfigMap", &it.metadata),
            Self::Role(it) => ours("rbac.authorization.k8s.io", "Role", &it.metadata),
            Self::RoleBinding(it) => ours("rbac.authorization.k8s.io", "RoleBinding", &it.metadata),
            Self::Job(it) => ours("batch", "Job", &it.metadata),
            Self::CronJob(it) => ours("batch", "CronJob", &it.metadata),
            Self::PassedThrough(file) => file
                .manifests
                .iter()
                .map(|manifest| {
                    let key = Key {
                        group: manifest.group().to_owned(),
                        kind: manifest.kind.clone(),
                        namespace: manifest.namespace.clone().unwrap_or_else(|| namespace.as_str().to_owned()),
                        // What `generateName` begins with is no name: two such objects are two.
                        name: manifest.root.text(&["metadata", "name"]).unwrap_or_default().to_owned(),
                    };
                    (key, file.path.clone())
                })
                .collect(),
        }
    }
}
