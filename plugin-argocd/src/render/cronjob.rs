//! The CronJob: the same run again and again. It retries what was blocked, and repairs what Argo CD would not run again.

use k8s_openapi::{
    api::batch::v1::{CronJob, CronJobSpec, Job, JobTemplateSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    Ask,
    labels::{labels_of_plan, metadata},
    naming,
};

pub(super) fn cron_job(ask: &Ask<'_>, job: &Job) -> CronJob {
    let name = naming::cron_job(&ask.declared.plan.database.name);
    let mut spec = job.spec.clone();
    let pod = spec.as_mut().and_then(|spec| spec.template.spec.as_mut());
    if let Some(pod) = pod {
        // The Job waits for another runner to finish; a repetition has no reason to.
        if let Some(container) = pod.containers.first_mut() {
            container.args.get_or_insert_default().push("--if-free".to_owned());
        }
        let volumes = pod.volumes.iter_mut().flatten();
        for source in volumes.filter_map(|volume| volume.projected.as_mut()?.sources.as_mut()).flatten() {
            // A repetition that starts while Argo CD prunes its plan would wait for it for ever, and no other could start.
            // Without a plan it fails at once, and the next one has the plan of the newest commit.
            if let Some(plan) = source.config_map.as_mut() {
                plan.optional = Some(true);
            }
        }
    }
    let template = JobTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels_of_plan(ask)), ..ObjectMeta::default() }),
        spec,
    };
    CronJob {
        metadata: metadata(ask, name, labels_of_plan(ask)),
        spec: Some(CronJobSpec {
            concurrency_policy: Some("Forbid".to_owned()),
            failed_jobs_history_limit: Some(1),
            job_template: template,
            schedule: ask.params.schedule.clone(),
            // A controller that was away for a night starts one run, not a hundred.
            starting_deadline_seconds: Some(120),
            successful_jobs_history_limit: Some(1),
            ..CronJobSpec::default()
        }),
        status: None,
    }
}
