//! Applications in the checkout that use this plugin: sync options that break the Job, and parameters that do not exist.

use schema_phases::nearest;

use super::{Context, Finding, did_you_mean};
use crate::{
    manifest::{Manifest, node::Node},
    params::TABLE,
};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in context.now.manifests().into_iter().filter(|manifest| manifest.group() == "argoproj.io") {
        let spec = match manifest.kind.as_str() {
            "Application" => manifest.root.at(&["spec"]),
            "ApplicationSet" => manifest.root.at(&["spec", "template", "spec"]),
            _ => continue,
        };
        let Some(spec) = spec else { continue };
        let plugins = plugins(spec);
        if plugins.is_empty() {
            continue;
        }
        findings.extend(options(manifest, spec));
        findings.extend(plugins.iter().flat_map(|plugin| unknown_parameters(manifest, plugin)));
    }
    findings
}

/// The plugin blocks of its sources that name this plugin.
fn plugins(spec: &Node) -> Vec<&Node> {
    let sources = spec.at(&["source"]).into_iter().chain(spec.list(&["sources"]));
    sources
        .filter_map(|source| source.at(&["plugin"]))
        .filter(|plugin| plugin.text(&["name"]).is_some_and(|name| name.starts_with("phasegate")))
        .collect()
}

fn options(manifest: &Manifest, spec: &Node) -> Vec<Finding> {
    let mut findings = Vec::new();
    for option in spec.list(&["syncPolicy", "syncOptions"]) {
        let text = option.as_text().unwrap_or_default();
        let why = match text {
            "Replace=true" => "fails on the Job, whose pod template is immutable",
            "PrunePropagationPolicy=orphan" => "leaves the pod of the old Job running",
            "PruneLast=true" => "makes the sync wait for the Job",
            "Prune=false" => "never gets in sync once the Job's name changes",
            "Force=true" => "deletes and restarts the Job in every sync",
            _ => continue,
        };
        let message = format!("{text} of {} {why}", manifest.title());
        findings.push(Finding::error(
            &manifest.file,
            option.line,
            message,
            "remove it, or give Phasegate an Application of its own",
        ));
    }
    let automated = spec.at(&["syncPolicy", "automated"]).filter(|node| node.as_map().is_some());
    let keeps = automated.filter(|node| !node.at(&["prune"]).is_some_and(Node::is_true));
    findings.extend(keeps.map(|node| {
        let message = format!("{} syncs by itself and prunes nothing: Jobs of old plans stay", manifest.title());
        Finding::warning(&manifest.file, node.line, message, "set syncPolicy.automated.prune: true")
    }));
    findings
}

fn unknown_parameters(manifest: &Manifest, plugin: &Node) -> Vec<Finding> {
    plugin
        .list(&["parameters"])
        .iter()
        .filter_map(|parameter| Some((parameter.line, parameter.text(&["name"])?)))
        .filter(|(_, name)| TABLE.iter().all(|row| row.name != *name))
        .map(|(line, name)| {
            let near = nearest(name, TABLE.iter().map(|row| row.name));
            let remedy = format!("`phasegate-argocd parameters` lists them{}", did_you_mean(&near));
            Finding::error(&manifest.file, line, format!("there is no parameter {name}"), remedy)
        })
        .collect()
}
