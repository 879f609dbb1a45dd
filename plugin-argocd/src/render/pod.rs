//! The runner's pod: what the Job and the CronJob have in common. Passes the restricted Pod Security Standard.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, LocalObjectReference, ObjectFieldSelector,
        PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, ProjectedVolumeSource,
        ResourceRequirements, SeccompProfile, SecretKeySelector, SecretVolumeSource, SecurityContext, Toleration,
        Volume, VolumeMount, VolumeProjection,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};

use super::{Ask, access::service_account_name, labels::labels_of_plan, plan::Part};
use crate::params;

/// Where the runner finds the plan.
const PLAN: &str = "/etc/phasegate/plan";
/// Where it finds the Prometheus servers, and what their file points to.
const PROMETHEUS: &str = "/etc/phasegate/prometheus";
const PROMETHEUS_FILE: &str = "/etc/phasegate/prometheus/prometheus.yaml";

pub(super) fn template(ask: &Ask<'_>, parts: &[Part]) -> PodTemplateSpec {
    let params = ask.params;
    let mut labels = params.pod_labels.clone();
    labels.extend(labels_of_plan(ask));
    let metadata =
        ObjectMeta { labels: Some(labels), annotations: filled(&params.pod_annotations), ..ObjectMeta::default() };
    let pull_secrets = params.image_pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() });
    let spec = PodSpec {
        automount_service_account_token: Some(true),
        containers: vec![container(ask)],
        enable_service_links: Some(false),
        image_pull_secrets: some(pull_secrets.collect()),
        node_selector: filled(&params.node_selector),
        priority_class_name: params.priority_class.clone(),
        restart_policy: Some("Never".to_owned()),
        security_context: Some(PodSecurityContext {
            // A volume for checkpoints belongs to whoever the runner is.
            fs_group: checkpoint_volume(ask).and(params.run_as_user),
            run_as_group: params.run_as_user,
            run_as_non_root: Some(true),
            run_as_user: params.run_as_user,
            seccomp_profile: Some(runtime_default()),
            ..PodSecurityContext::default()
        }),
        service_account_name: Some(service_account_name(ask)),
        termination_grace_period_seconds: Some(params.grace_period_seconds),
        tolerations: some(params.tolerations.iter().map(toleration).collect()),
        volumes: Some(volumes(ask, parts)),
        ..PodSpec::default()
    };
    PodTemplateSpec { metadata: Some(metadata), spec: Some(spec) }
}

fn container(ask: &Ask<'_>) -> Container {
    let params = ask.params;
    let words = |list: &[&str]| Some(list.iter().map(|word| (*word).to_owned()).collect());
    let mount = |name: &str, path: &str, read_only: Option<bool>| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only,
        ..VolumeMount::default()
    };
    let mut mounts = vec![mount("plan", PLAN, Some(true)), mount("tmp", "/tmp", None)];
    if let Some((directory, _)) = checkpoint_volume(ask) {
        mounts.push(mount("checkpoints", directory, None));
    }
    let mut args = vec!["--plan", PLAN, "--kubernetes"];
    if prometheus_secret(ask).is_some() {
        mounts.push(mount("prometheus", PROMETHEUS, Some(true)));
        args.extend(["--prometheus", PROMETHEUS_FILE]);
    }
    Container {
        name: "phasegate".to_owned(),
        image: Some(params.image.clone()),
        image_pull_policy: params.image_pull_policy.clone(),
        command: words(&["phasegate", "run"]),
        args: words(&args),
        env: Some(environment(ask)),
        resources: Some(ResourceRequirements {
            requests: quantities(&params.requests),
            limits: quantities(&params.limits),
            ..ResourceRequirements::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: words(&["ALL"]), add: None }),
            privileged: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            seccomp_profile: Some(runtime_default()),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}

/// The credential is only ever named: its value stays in its Secret.
fn environment(ask: &Ask<'_>) -> Vec<EnvVar> {
    let runner = &ask.declared.plan.database.runner;
    let from = |name: &str, source: EnvVarSource| EnvVar {
        name: name.to_owned(),
        value_from: Some(source),
        ..EnvVar::default()
    };
    let secret = SecretKeySelector { name: runner.name.clone(), key: runner.key.clone(), optional: None };
    let field = ObjectFieldSelector { field_path: "metadata.namespace".to_owned(), api_version: None };
    let mut environment = vec![
        from("PHASEGATE_DATABASE_URL", EnvVarSource { secret_key_ref: Some(secret), ..EnvVarSource::default() }),
        from("PHASEGATE_NAMESPACE", EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() }),
    ];
    environment.extend(ask.params.log.iter().map(|filter| EnvVar {
        name: "PHASEGATE_LOG".to_owned(),
        value: Some(filter.clone()),
        ..EnvVar::default()
    }));
    environment
}

/// Where checkpoints go, and the claim that stands there.
fn checkpoint_volume<'a>(ask: &'a Ask<'_>) -> Option<(&'a str, &'a str)> {
    let checkpoint = ask.declared.plan.database.checkpoint.as_ref()?;
    Some((checkpoint.directory.as_str(), checkpoint.volume.as_deref()?))
}

/// The Secret with the Prometheus servers that a throttle asks.
fn prometheus_secret<'a>(ask: &'a Ask<'_>) -> Option<&'a str> {
    ask.declared.plan.database.backfill.throttle.prometheus.as_ref()?.servers.as_deref()
}

fn volumes(ask: &Ask<'_>, parts: &[Part]) -> Vec<Volume> {
    let sources = parts
        .iter()
        .map(|part| VolumeProjection { config_map: Some(part.projection.clone()), ..VolumeProjection::default() })
        .collect();
    let mut volumes = vec![
        Volume {
            name: "plan".to_owned(),
            projected: Some(ProjectedVolumeSource { sources: Some(sources), default_mode: None }),
            ..Volume::default()
        },
        Volume {
            name: "tmp".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource { size_limit: Some(Quantity("64Mi".to_owned())), medium: None }),
            ..Volume::default()
        },
    ];
    volumes.extend(checkpoint_volume(ask).map(|(_, claim)| Volume {
        name: "checkpoints".to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.to_owned(),
            read_only: None,
        }),
        ..Volume::default()
    }));
    volumes.extend(prometheus_secret(ask).map(|secret| Volume {
        name: "prometheus".to_owned(),
        secret: Some(SecretVolumeSource { secret_name: Some(secret.to_owned()), ..SecretVolumeSource::default() }),
        ..Volume::default()
    }));
    volumes
}

fn toleration(toleration: &params::Toleration) -> Toleration {
    let params::Toleration { key, value, effect } = toleration;
    let operator = if value.is_some() { "Equal" } else { "Exists" };
    Toleration {
        key: Some(key.clone()),
        operator: Some(operator.to_owned()),
        value: value.clone(),
        effect: effect.clone(),
        toleration_seconds: None,
    }
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }
}

fn quantities(map: &BTreeMap<String, String>) -> Option<BTreeMap<String, Quantity>> {
    filled(map).map(|map| map.into_iter().map(|(resource, amount)| (resource, Quantity(amount))).collect())
}

fn filled(map: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then(|| map.clone())
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
