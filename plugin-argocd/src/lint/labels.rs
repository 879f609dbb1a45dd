//! Labels and annotations that Phasegate would not see, or not as they were meant.

use schema_phases::nearest;

use super::{Context, Finding, did_you_mean};
use crate::{
    kubernetes_syntax::is_label_name,
    manifest::{
        Manifest,
        node::{Node, Value},
        workload::{DATABASE_LABEL, STATEMENTS, SUPPORTS, Version, WorkloadKind},
    },
};

/// The domains of the marks, and where each of them belongs.
const DOMAINS: [(&str, &str); 3] = [(DATABASE_LABEL, "labels"), (SUPPORTS, "annotations"), (STATEMENTS, "annotations")];

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in context.now.manifests() {
        findings.extend(misplaced(manifest));
    }
    let known: Vec<&str> = context.now.plans.iter().map(|plan| plan.plan.database.name.as_str()).collect();
    for version in context.now.versions() {
        for list in ["labels", "annotations"] {
            for (key, node) in version.template.entries(&["metadata", list]) {
                findings.extend(misspelt(&version, list, key, node));
            }
        }
        for (name, node) in version.databases() {
            findings.extend(bad_label(&version, name, node, &known));
        }
        findings.extend(annotation_without_label(&version));
    }
    findings
}

/// On the workload instead of its pod template. A pod's own metadata is its template's.
fn misplaced(manifest: &Manifest) -> Vec<Finding> {
    if WorkloadKind::of(manifest).is_none_or(|kind| kind == WorkloadKind::Pod) {
        return Vec::new();
    }
    let marks = ["labels", "annotations"].into_iter().flat_map(|list| manifest.root.entries(&["metadata", list]));
    marks
        .filter(|(key, _)| DOMAINS.iter().any(|(domain, _)| key.starts_with(domain)))
        .map(|(key, node)| {
            let message = format!("{key} stands on {} itself, where nobody reads it", manifest.title());
            Finding::error(&manifest.file, node.line, message, "move it to the metadata of its pod template")
        })
        .collect()
}

fn misspelt(version: &Version<'_>, list: &str, key: &str, node: &Node) -> Option<Finding> {
    let (domain, name) = key.split_once('/')?;
    if !domain.ends_with(".phasegate.dev") {
        return None;
    }
    let file = &version.written_in.file;
    match DOMAINS.iter().find(|(known, _)| known.trim_end_matches('/') == domain) {
        Some((_, belongs)) if *belongs == list => None,
        Some((_, belongs)) => {
            let message = format!("{key} is one of the {list}, and is read from the {belongs} only");
            Some(Finding::error(file, node.line, message, format!("move it to the {belongs}")))
        }
        None => {
            let known = DOMAINS.map(|(known, _)| known.trim_end_matches('/'));
            let near = did_you_mean(&nearest(domain, known).into_iter().take(1).collect::<Vec<_>>());
            let remedy = format!("use {}/{name}{near}", known.join("/… or "));
            Some(Finding::error(file, node.line, format!("nobody reads {key}"), remedy))
        }
    }
}

fn bad_label(version: &Version<'_>, name: &str, node: &Node, known: &[&str]) -> Option<Finding> {
    let file = &version.written_in.file;
    match &node.value {
        Value::Text(namespace) if namespace.is_empty() => {
            if known.is_empty() || known.contains(&name) {
                return None;
            }
            let near = did_you_mean(&nearest(name, known.iter().copied()));
            let message =
                format!("{} uses the database {name}, which no phasegate.yaml here declares", version.title());
            Some(Finding::warning(
                file,
                node.line,
                message,
                format!("correct it if it is not declared elsewhere{near}"),
            ))
        }
        Value::Text(namespace) if is_label_name(namespace) => None,
        Value::Text(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Map(_) => Some(Finding::error(
            file,
            node.line,
            format!("the value of {DATABASE_LABEL}{name} names no namespace"),
            "write \"\", or the namespace of the Database if it is another",
        )),
    }
}

/// Without the label the runner does not see the version, and moves the schema away from under it.
fn annotation_without_label(version: &Version<'_>) -> Vec<Finding> {
    version
        .template
        .entries(&["metadata", "annotations"])
        .filter_map(|(key, node)| Some((key.strip_prefix(SUPPORTS)?, node)))
        .filter(|(name, _)| !version.uses(name))
        .map(|(name, node)| {
            Finding::error(
                &version.written_in.file,
                node.line,
                format!("{} says what it supports of {name}, and is not labelled with it", version.title()),
                format!("add the label {DATABASE_LABEL}{name}: \"\" beside it, or nobody counts it as live"),
            )
        })
        .collect()
}
