//! Waves and hooks that make a sync wait for the migration: hours behind a backfill, with the hotfix behind it.

use super::{Context, Finding};
use crate::{
    manifest::{node::Node, workload::DATABASE_LABEL},
    params::AppManifests,
};

const WAVE: &str = "argocd.argoproj.io/sync-wave";
const HOOK: &str = "argocd.argoproj.io/hook";
const OPTIONS: &str = "argocd.argoproj.io/sync-options";

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    if context.now.plans.is_empty() || context.params.manifests == AppManifests::Ignore {
        return Vec::new();
    }
    let ours = i64::from(context.params.sync_wave.unwrap_or(0));
    let mut findings = Vec::new();
    for manifest in context.now.manifests() {
        let title = manifest.title();
        let wave = manifest.annotation(WAVE);
        let number = wave.and_then(number).unwrap_or(0);
        let line = wave.map_or(manifest.root.line, |node| node.line);
        let hook = manifest.annotation(HOOK);
        let labelled = context
            .now
            .versions()
            .iter()
            .any(|version| std::ptr::eq(version.owner, manifest) && version.databases().next().is_some());
        if hook.is_none() && labelled && number < ours {
            findings.push(Finding::error(
                &manifest.file,
                line,
                format!("{title} is in wave {number}, before the Job in wave {ours}: its gate waits for the Job, and the Job for its health"),
                format!("put both into the same wave: --set sync-wave={number}, or {WAVE}: \"{ours}\" on {title}"),
            ));
        }
        if hook.is_none() && number > ours {
            findings.push(Finding::error(
                &manifest.file,
                line,
                format!("{title} is in wave {number}, after the Job in wave {ours}: the sync waits until the migration is done"),
                format!("set the parameter sync-wave to {number}, or give Phasegate an Application of its own"),
            ));
        }
        if let Some(hook) = hook.filter(|hook| hook.as_text().unwrap_or_default().contains("PostSync")) {
            findings.push(Finding::error(
                &manifest.file,
                hook.line,
                format!("{title} is a PostSync hook: the sync waits for the Job and for every canary"),
                "give Phasegate an Application of its own, or drop the hook",
            ));
        }
        if let Some(options) = manifest.annotation(OPTIONS).filter(|options| says(options, "PruneLast=true")) {
            findings.push(Finding::error(
                &manifest.file,
                options.line,
                format!("PruneLast=true of {title} makes the sync wait for the Job"),
                "remove it, or give Phasegate an Application of its own",
            ));
        }
    }
    findings.extend(prefix_of_a_hook(context));
    findings
}

/// A labelled workload that is itself a hook is live whenever Argo CD feels like it.
fn prefix_of_a_hook(context: &Context<'_>) -> Vec<Finding> {
    context
        .now
        .versions()
        .iter()
        .filter_map(|version| {
            let hook = version.owner.annotation(HOOK)?;
            version.databases().next()?;
            (!version.has_waiting_check()).then(|| {
                Finding::warning(
                    &version.owner.file,
                    hook.line,
                    format!(
                        "{} is a hook with {DATABASE_LABEL}…: it runs in a sync, whatever phase the schema is in",
                        version.title()
                    ),
                    "add the init container phasegate check --wait",
                )
            })
        })
        .collect()
}

fn number(node: &Node) -> Option<i64> {
    node.as_integer().or_else(|| node.as_text()?.parse().ok())
}

fn says(options: &Node, option: &str) -> bool {
    options.as_text().unwrap_or_default().split(',').any(|found| found.trim() == option)
}
