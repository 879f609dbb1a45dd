//! The Job: one for each spec, a plain Sync resource. No hook, TTL, Force or Replace: argo.md C2 says what each breaks.

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
};

use super::{
    Ask,
    labels::{labels_of_plan, metadata},
    naming,
    plan::Part,
    pod,
};

/// The runner asks to be started again.
const AGAIN: i32 = 75;
/// The runner says that no further attempt can succeed.
const NEVER: i32 = 78;

/// # Errors
/// None that can happen: every field is text or a number.
pub(super) fn job(ask: &Ask<'_>, parts: &[Part]) -> serde_json::Result<Job> {
    let spec = JobSpec {
        active_deadline_seconds: ask.params.active_deadline_seconds,
        backoff_limit: Some(ask.params.backoff_limit),
        pod_failure_policy: Some(failure_policy()),
        template: pod::template(ask, parts),
        ..JobSpec::default()
    };
    let name = naming::job(&ask.declared.plan.database.name, &naming::digest(&spec)?);
    Ok(Job { metadata: metadata(ask, name, labels_of_plan(ask)), spec: Some(spec), status: None })
}

/// The first rule that matches counts. An ignored failure does not count towards the backoff limit, and its pod is
/// replaced with the Job controller's growing delay (10 s to 10 min). Needs restartPolicy Never.
fn failure_policy() -> PodFailurePolicy {
    let on_exit = |action: &str, code: i32| PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: None,
            operator: "In".to_owned(),
            values: vec![code],
        }),
        on_pod_conditions: None,
    };
    let disrupted = PodFailurePolicyRule {
        action: "Ignore".to_owned(),
        on_exit_codes: None,
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
        }]),
    };
    PodFailurePolicy { rules: vec![on_exit("FailJob", NEVER), disrupted, on_exit("Ignore", AGAIN)] }
}
