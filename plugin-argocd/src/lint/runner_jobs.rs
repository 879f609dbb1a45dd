//! Jobs somebody wrote by hand around `phasegate run`: the settings that make Argo CD skip them, repeat them or hang.

use super::{Context, Finding, credentials::is_a_runner, line_of};
use crate::manifest::{Manifest, workload::WorkloadKind};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for version in context.now.versions().iter().filter(|version| version.kind == WorkloadKind::Job) {
        if is_a_runner(version) {
            findings.extend(traps(version.owner));
        }
    }
    findings
}

fn traps(job: &Manifest) -> Vec<Finding> {
    let title = job.title();
    let error = |line, message: String, remedy: &str| Finding::error(&job.file, line, message, remedy);
    let mut findings = Vec::new();
    if let Some(hook) = job.annotation("argocd.argoproj.io/hook").or_else(|| job.annotation("helm.sh/hook")) {
        let message =
            format!("{title} is a hook: a selective sync, self-heal and a rollback skip it, and a retry repeats it");
        findings.push(error(hook.line, message, "remove it and let phasegate-argocd render the Job"));
    }
    if let Some(ttl) = job.root.at(&["spec", "ttlSecondsAfterFinished"]) {
        let message =
            format!("{title} is deleted after it finished, which Argo CD takes for a difference and runs it again");
        findings.push(error(ttl.line, message, "remove ttlSecondsAfterFinished"));
    }
    if let Some(options) = job.annotation("argocd.argoproj.io/sync-options") {
        for option in options.as_text().unwrap_or_default().split(',').map(str::trim) {
            let why = match option {
                "Replace=true" => "fails on a Job, whose pod template is immutable",
                "Force=true" => "deletes and restarts the Job in every sync",
                "Prune=false" => "never gets in sync once the Job's name changes",
                _ => continue,
            };
            findings.push(error(options.line, format!("{option} of {title} {why}"), "remove it"));
        }
    }
    if job.root.text(&["metadata", "name"]).is_none() {
        let line = line_of(job.root.at(&["metadata"]), job.root.line);
        let message = format!("{title} has no name of its own, and Argo CD syncs no such Job");
        findings.push(error(line, message, "name it, ending in a digest of its spec"));
    }
    findings
}
