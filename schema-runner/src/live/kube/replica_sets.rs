//! Which ReplicaSets are live: those with replicas, those the controller has not caught up with, and those that a Rollout
//! names or may go back to without asking a gate.

use std::collections::BTreeSet;

use super::{
    api::Kind,
    labels::Here,
    objects::{Object, Owned},
    templates::startable,
};
use crate::live::LiveVersion;

const ROLLOUT_HASH: &str = "rollouts-pod-template-hash";
const DEPLOYMENT_HASH: &str = "pod-template-hash";

/// The live ones. Notes every labelled ReplicaSet, as pods may outlive its replicas.
pub(super) fn live(here: &Here<'_>, owners: &[Object], replica_sets: &[Object], owned: &mut Owned) -> Vec<LiveVersion> {
    let named = named(owners, replica_sets);
    let mut live = Vec::new();
    for set in replica_sets {
        let Some(template) = set.template("/spec/template") else { continue };
        let labelled = here.is_labelled(&template) || here.is_labelled(&set.metadata) || owned.owns(&set.metadata);
        if !labelled {
            continue;
        }
        owned.add(set);
        if has_replicas(set) || is_unobserved(set) || named.contains(&set.name) {
            live.push(startable(here, set.called(here.namespace), &template));
        }
    }
    live
}

fn has_replicas(set: &Object) -> bool {
    // The API fills in 1 where nothing is said.
    let wanted = set.data.pointer("/spec/replicas").is_none() || set.number("/spec/replicas") > 0;
    wanted || set.number("/status/replicas") > 0
}

fn is_unobserved(set: &Object) -> bool {
    set.metadata.generation.is_some_and(|generation| set.number("/status/observedGeneration") < generation)
}

/// The names of the ReplicaSets that Rollouts name in their status, or may roll back to inside their window.
fn named(owners: &[Object], replica_sets: &[Object]) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for rollout in owners.iter().filter(|owner| owner.kind == Kind::Rollout) {
        let owner = (Kind::Rollout.as_str().to_owned(), rollout.name.clone());
        let own: Vec<&Object> = replica_sets.iter().filter(|set| set.metadata.owners.contains(&owner)).collect();
        let hashes: BTreeSet<&str> = [
            "/status/stableRS",
            "/status/currentPodHash",
            "/status/blueGreen/activeSelector",
            "/status/blueGreen/previewSelector",
        ]
        .into_iter()
        .filter_map(|pointer| rollout.text(pointer))
        .collect();
        let is_named = |set: &&&Object| hash(set).is_some_and(|hash| hashes.contains(hash));
        named.extend(own.iter().filter(is_named).map(|set| set.name.clone()));
        named.extend(inside_rollback_window(rollout, &own));
    }
    named
}

fn hash(set: &Object) -> Option<&str> {
    let label = |key: &str| set.metadata.labels.get(key).map(String::as_str);
    label(ROLLOUT_HASH).or_else(|| label(DEPLOYMENT_HASH))
}

/// Argo Rollouts 1.10 (rollout/context.go, isRollbackWithinWindow) skips all steps on the way back to a ReplicaSet older
/// than the stable one when fewer than `revisions` others were created between them. Equal times count as between
/// neither, so all of one second are taken together. Without a stable ReplicaSet every one may be meant.
fn inside_rollback_window(rollout: &Object, own: &[&Object]) -> Vec<String> {
    let revisions = usize::try_from(rollout.number("/spec/rollbackWindow/revisions")).unwrap_or(0);
    if revisions == 0 {
        return Vec::new();
    }
    let stable = rollout.text("/status/stableRS").and_then(|stable| own.iter().find(|set| hash(set) == Some(stable)));
    let older_than_stable = |set: &&&Object| match stable {
        Some(stable) => set.metadata.created < stable.metadata.created,
        None => true,
    };
    let older: Vec<&&Object> = own.iter().filter(older_than_stable).collect();
    older
        .iter()
        .filter(|set| {
            let between = older.iter().filter(|other| other.metadata.created > set.metadata.created).count();
            stable.is_none() || between < revisions
        })
        .map(|set| set.name.clone())
        .collect()
}
