//! The runner's Jobs, found by the labels that the renderer gives them.

use ::kube::{Api, api::ListParams};
use async_trait::async_trait;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use schema_phases::Because;

use super::{declared::is_object_name, kube::Kubernetes};
use crate::ports::{JobRef, JobSight, RunnerJobs};

/// The labels of what is rendered; the second holds the first twelve digits of the plan's digest.
const DATABASE: &str = "phasegate.dev/database";
const PLAN: &str = "phasegate.dev/plan-digest";
const DIGITS: usize = 12;
/// The newest few hold the answer, and a cluster where nobody prunes must not fill our memory.
const MOST: u32 = 50;

#[async_trait]
impl RunnerJobs for Kubernetes {
    async fn job(&self, of: &JobRef) -> Result<JobSight, Because> {
        let JobRef { database, namespace, wanted } = of;
        if !is_object_name(database) || !is_object_name(namespace) {
            return Err(Because::Untrusted("the label names no database".to_owned()));
        }
        let mut selector = format!("{DATABASE}={database}");
        if let Some(wanted) = wanted {
            let digits: String = wanted.as_str().chars().take(DIGITS).collect();
            selector.push_str(&format!(",{PLAN}={digits}"));
        }
        let client = self.client().await?;
        let _slot = self.slot().await?;
        let api: Api<Job> = Api::namespaced(client.clone(), namespace);
        let found = api.list(&ListParams::default().labels(&selector).limit(MOST)).await;
        Ok(sight(found.map_err(|error| self.because(&error, "list", "jobs", namespace))?.items))
    }
}

/// What the newest says, unless another still works. The Job and the CronJob's of one plan do the same.
fn sight(mut jobs: Vec<Job>) -> JobSight {
    jobs.sort_by(|one, other| other.metadata.creation_timestamp.cmp(&one.metadata.creation_timestamp));
    let sights: Vec<JobSight> = jobs.into_iter().map(one).collect();
    let working = sights.iter().find(|sight| matches!(sight, JobSight::Working { .. }));
    working.or_else(|| sights.first()).cloned().unwrap_or(JobSight::Absent)
}

fn one(job: Job) -> JobSight {
    let suspended = job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or_default();
    let name = job.metadata.name.unwrap_or_default();
    let conditions = job.status.and_then(|status| status.conditions).unwrap_or_default();
    let has = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True");
    // A Job that was suspended and resumed keeps a condition of it, with the status False.
    if let Some(condition) = has("Failed") {
        JobSight::Failed { job: name, why: told(condition) }
    } else if has("Complete").is_some() {
        JobSight::Complete { job: name }
    } else if suspended {
        JobSight::Suspended { job: name }
    } else {
        JobSight::Working { job: name }
    }
}

fn told(condition: &JobCondition) -> String {
    let reason = condition.reason.as_deref().unwrap_or("no reason given");
    reason.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, created: &str, more: &str) -> Job {
        let text =
            format!(r#"{{"metadata":{{"name":"{name}","creationTimestamp":"2026-01-01T00:00:{created}Z"}},{more}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn condition(kind: &str, status: &str) -> String {
        format!(
            r#""status":{{"conditions":[{{"type":"{kind}","status":"{status}","reason":"BackoffLimitExceeded"}}]}}"#
        )
    }

    #[test]
    fn the_newest_speaks_unless_another_still_works() {
        let name = |job: &str| job.to_owned();
        let failed = JobSight::Failed { job: name("b"), why: name("BackoffLimitExceeded") };
        let rows = [
            (vec![], JobSight::Absent),
            (vec![job("a", "01", r#""spec":{"template":{}}"#)], JobSight::Working { job: name("a") }),
            (vec![job("a", "01", r#""spec":{"template":{},"suspend":true}"#)], JobSight::Suspended { job: name("a") }),
            (
                vec![job("a", "01", &condition("Complete", "True")), job("b", "02", &condition("Failed", "True"))],
                failed.clone(),
            ),
            (
                vec![job("b", "02", &condition("Failed", "True")), job("a", "01", &condition("Complete", "True"))],
                failed,
            ),
            (
                vec![job("b", "02", &condition("Failed", "True")), job("a", "01", &condition("Suspended", "False"))],
                JobSight::Working { job: name("a") },
            ),
            (vec![job("a", "01", &condition("Complete", "True"))], JobSight::Complete { job: name("a") }),
        ];
        for (jobs, want) in rows {
            assert_eq!(sight(jobs), want);
        }
    }
}
