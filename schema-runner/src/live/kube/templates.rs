//! The pod templates that an owner may start pods from at any moment, at any replica count, paused or suspended.

use schema_phases::AppVersion;
use serde_json::Value;

use super::{
    api::Kind,
    labels::Here,
    objects::{Metadata, Object, Owned, template},
};
use crate::live::{LiveVersion, Presence};

/// A template as a live version.
pub(super) fn startable(here: &Here<'_>, name: String, template: &Metadata) -> LiveVersion {
    LiveVersion { version: AppVersion { name, annotation: here.supports(template) }, presence: Presence::Startable }
}

/// The versions that Rollouts, Deployments, StatefulSets, DaemonSets, CronJobs and unfinished Experiments may start.
/// Notes the owners that are labelled.
pub(super) fn of_owners(
    here: &Here<'_>,
    owners: &[Object],
    replica_sets: &[Object],
    pod_templates: &[Object],
    owned: &mut Owned,
) -> Vec<LiveVersion> {
    let mut live = Vec::new();
    for owner in owners {
        let templates = templates(owner, owners, replica_sets, pod_templates);
        let own_label = here.is_labelled(&owner.metadata);
        if !own_label && !templates.iter().any(|template| here.is_labelled(template)) {
            continue;
        }
        // Pods it made before it was labelled, or before an experiment ended, are its pods still.
        owned.add(owner);
        if is_finished(owner) {
            continue;
        }
        for template in &templates {
            if own_label || here.is_labelled(template) {
                live.push(startable(here, owner.called(here.namespace), template));
            }
        }
    }
    live
}

fn templates(owner: &Object, owners: &[Object], replica_sets: &[Object], pod_templates: &[Object]) -> Vec<Metadata> {
    match owner.kind {
        Kind::Rollout => {
            let referred = owner.workload_ref().and_then(|(kind, name)| {
                let all = owners.iter().chain(replica_sets).chain(pod_templates);
                let target = all.into_iter().find(|object| object.kind.as_str() == kind && object.name == name)?;
                let pointer = if target.kind == Kind::PodTemplate { "/template" } else { "/spec/template" };
                target.template(pointer)
            });
            owner.template("/spec/template").into_iter().chain(referred).collect()
        }
        Kind::CronJob => owner.template("/spec/jobTemplate/spec/template").into_iter().collect(),
        Kind::Experiment => {
            let list = owner.data.pointer("/spec/templates").and_then(Value::as_array);
            list.into_iter().flatten().filter_map(|entry| template(entry.get("template")?)).collect()
        }
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => {
            owner.template("/spec/template").into_iter().collect()
        }
        Kind::ReplicaSet | Kind::Job | Kind::Pod | Kind::PodTemplate | Kind::ConfigMap => Vec::new(),
    }
}

/// Whether an Experiment has ended; the other owners never do.
fn is_finished(owner: &Object) -> bool {
    owner.kind == Kind::Experiment
        && matches!(owner.text("/status/phase"), Some("Successful" | "Failed" | "Error" | "Inconclusive"))
}

/// The versions that unfinished Jobs may start. Notes every labelled Job, as its pods may outlive its end.
pub(super) fn of_jobs(here: &Here<'_>, jobs: &[Object], owned: &mut Owned) -> Vec<LiveVersion> {
    let mut live = Vec::new();
    for job in jobs {
        let Some(template) = job.template("/spec/template") else { continue };
        let labelled = here.is_labelled(&template) || here.is_labelled(&job.metadata) || owned.owns(&job.metadata);
        if !labelled {
            continue;
        }
        owned.add(job);
        if !job_is_finished(job) {
            live.push(startable(here, job.called(here.namespace), &template));
        }
    }
    live
}

fn job_is_finished(job: &Object) -> bool {
    let conditions = job.data.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        let text = |key: &str| condition.get(key).and_then(Value::as_str);
        matches!(text("type"), Some("Complete" | "Failed")) && text("status") == Some("True")
    })
}
