//! What a question asks to be looked at: its databases, their checks, and what its versions are called.

use std::{collections::BTreeSet, sync::Arc};

use phase_ledger::ServerIdentity;
use schema_phases::AppVersion;

use super::{AskingRollout, Look, Unasked, checks::Wanted};
use crate::{
    ports::Access,
    template::{PodTemplate, distinct_names},
};

/// More databases than any pod uses.
pub(super) const MOST_DATABASES: usize = 32;

/// The checks of one database, which its declaration and the canary ask for.
pub(super) fn checks_of(
    rollout: &AskingRollout,
    access: &Arc<Access>,
    config_map: Option<String>,
    version: &AppVersion,
    primary: Option<ServerIdentity>,
) -> Vec<Wanted> {
    let statements = config_map.map(|config_map| Wanted::Statements {
        access: Arc::clone(access),
        namespace: rollout.namespace.clone(),
        config_map,
    });
    let integrity =
        access.integrity.iter().map(|query| Wanted::Integrity { access: Arc::clone(access), query: query.clone() });
    let replicas = access.replicas.iter().map(|replica| Wanted::Replica {
        replica: replica.clone(),
        version: version.clone(),
        primary: primary.clone(),
    });
    statements.into_iter().chain(integrity).chain(replicas).collect()
}

/// What the canary and the stable version are called.
pub(super) fn names(
    rollout: &AskingRollout,
    canary: &PodTemplate,
    stable: Option<&Look<Arc<PodTemplate>>>,
) -> (String, Option<String>) {
    match stable.map(|look| &look.outcome) {
        Some(Ok(stable)) => {
            let (name, stable) = distinct_names((canary, &rollout.canary_pod_hash), (stable, &rollout.stable_pod_hash));
            (name, Some(stable))
        }
        Some(Err(_)) | None => (canary.version_name(&rollout.canary_pod_hash), None),
    }
}

/// The databases to judge, with the namespaces their labels name.
pub(super) fn wanted(canary: &PodTemplate, only: Option<&BTreeSet<String>>) -> Result<Vec<(String, String)>, Unasked> {
    if let Some(database) = only.and_then(|only| only.iter().find(|database| !canary.uses(database))) {
        return Err(Unasked::NotLabelled { database: database.chars().take(80).collect() });
    }
    let wanted: Vec<(String, String)> = canary
        .databases()
        .filter(|(name, _)| only.is_none_or(|only| only.contains(*name)))
        .map(|(name, namespace)| (name.to_owned(), namespace.to_owned()))
        .collect();
    if wanted.len() > MOST_DATABASES {
        Err(Unasked::TooMany { found: wanted.len(), most: MOST_DATABASES })
    } else {
        Ok(wanted)
    }
}
