//! What the runner may read of Kubernetes: its one ConfigMap, and who is live in the Database's namespaces.

use k8s_openapi::api::{
    core::v1::ServiceAccount,
    rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject},
};

use super::{
    Ask, Object,
    labels::{labels, metadata},
    naming,
};

/// What can be, own or start a live version. A Rollout's `workloadRef` may name a PodTemplate.
const WORKLOADS: &[(&str, &[&str])] = &[
    ("", &["pods", "podtemplates"]),
    ("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("argoproj.io", &["experiments", "rollouts"]),
    ("batch", &["cronjobs", "jobs"]),
];

/// The given one, or the one that is rendered.
pub(super) fn service_account_name(ask: &Ask<'_>) -> String {
    ask.params.service_account.clone().unwrap_or_else(|| naming::access(&ask.declared.plan.database.name))
}

pub(super) fn access(ask: &Ask<'_>) -> Vec<Object> {
    let database = &ask.declared.plan.database;
    let own = ask.namespace.as_str();
    let mut objects = Vec::new();
    if ask.params.service_account.is_none() {
        objects.push(Object::ServiceAccount(Box::new(service_account(ask))));
    }
    let mut rules = vec![rule("", &["configmaps"], &[&naming::wanted(&database.name)], &["get"])];
    rules.extend(look());
    objects.extend(granted(ask, own, naming::access(&database.name), rules));
    for other in database.namespaces.iter().filter(|other| other.as_str() != own) {
        objects.extend(granted(ask, other, naming::access_from(own, &database.name), look()));
    }
    objects
}

fn service_account(ask: &Ask<'_>) -> ServiceAccount {
    let mut metadata = metadata(ask, service_account_name(ask), labels(ask));
    if !ask.params.service_account_annotations.is_empty() {
        metadata.annotations.get_or_insert_default().extend(ask.params.service_account_annotations.clone());
    }
    // The runner's pod asks for its token itself; nothing else that uses the account gets one unasked.
    ServiceAccount { metadata, automount_service_account_token: Some(false), ..ServiceAccount::default() }
}

fn granted(ask: &Ask<'_>, namespace: &str, name: String, rules: Vec<PolicyRule>) -> [Object; 2] {
    let mut metadata = metadata(ask, name.clone(), labels(ask));
    metadata.namespace = Some(namespace.to_owned());
    let binding = RoleBinding {
        metadata: metadata.clone(),
        role_ref: RoleRef { api_group: "rbac.authorization.k8s.io".to_owned(), kind: "Role".to_owned(), name },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: service_account_name(ask),
            namespace: Some(ask.namespace.as_str().to_owned()),
            api_group: None,
        }]),
    };
    let role = Role { metadata, rules: Some(rules) };
    [Object::Role(Box::new(role)), Object::RoleBinding(Box::new(binding))]
}

fn look() -> Vec<PolicyRule> {
    WORKLOADS.iter().map(|(group, resources)| rule(group, resources, &[], &["get", "list"])).collect()
}

fn rule(group: &str, resources: &[&str], names: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        resource_names: (!names.is_empty()).then(|| owned(names)),
        verbs: owned(verbs),
        non_resource_urls: None,
    }
}
