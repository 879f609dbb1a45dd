//! The canary step: its name, its place among the steps, and that it is on.

use schema_changes::{FileError, check_step_configs};
use schema_phases::nearest;

use super::{Context, Finding};
use crate::manifest::{
    ManifestFile,
    node::Node,
    workload::{DATABASE_LABEL, Version, WorkloadKind},
};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = bad_configs(context);
    for version in context.now.versions().iter().filter(|version| version.kind == WorkloadKind::Rollout) {
        let steps = steps(version);
        findings.extend(steps.iter().filter_map(|step| misnamed_or_off(context, version, step)));
        findings.extend(steps.iter().filter(|step| is_gate(context, step)).flat_map(|step| unlabelled(version, step)));
        let gates: Vec<usize> =
            (0..).zip(steps).filter(|(_, step)| is_gate(context, step)).map(|(index, _)| index).collect();
        let openings: Vec<usize> = (0..).zip(steps).filter(|(_, step)| opens(step)).map(|(index, _)| index).collect();
        let (Some(first), Some(last)) = (gates.first(), gates.last()) else { continue };
        let line = steps.get(*first).map_or(version.line(), |step| step.line);
        if version.databases().next().is_none() {
            findings.push(Finding::error(
                &version.owner.file,
                line,
                format!(
                    "{} has the step {}, and its pods are labelled with no database: it would wait for ever",
                    version.title(),
                    context.step
                ),
                format!("add the label {DATABASE_LABEL}<database>: \"\" to the pod template, or remove the step"),
            ));
        }
        // Every pod passes an init container, whatever the steps do.
        if version.has_waiting_check() {
            continue;
        }
        if openings.first().is_some_and(|opening| opening < first) {
            findings.push(Finding::error(
                &version.owner.file,
                line,
                format!("the step {} comes after a step that already starts canary pods", context.step),
                "make it the first step",
            ));
        } else if openings.last().is_some_and(|opening| opening > last) {
            findings.push(Finding::warning(
                &version.owner.file,
                line,
                format!("no step {} stands after the last weight: a promotion is not asked about again", context.step),
                "repeat the step at the end of the steps",
            ));
        }
    }
    findings
}

/// What the gate would refuse to read; it answers with an error then, for ever.
fn bad_configs(context: &Context<'_>) -> Vec<Finding> {
    let with_gate = |file: &&ManifestFile| file.text.contains(context.step);
    let errors = context
        .now
        .files
        .iter()
        .filter(with_gate)
        .filter_map(|file| check_step_configs(&file.path, &file.text, context.step).err());
    let found = errors.flatten().map(|FileError { file, line, field, message, remedy }| {
        let message = field.map_or_else(|| message.clone(), |field| format!("{field}: {message}"));
        Finding::error(&file, line.unwrap_or_default(), message, remedy)
    });
    found.collect()
}

/// Databases that the step asks about, and the pods are not labelled with.
fn unlabelled(version: &Version<'_>, step: &Node) -> Vec<Finding> {
    let names = step.list(&["plugin", "config", "databases"]);
    let asked = names.iter().filter_map(|name| Some((name.as_text()?, name.line)));
    let unlabelled = asked.filter(|(name, _)| !version.uses(name)).map(|(name, line)| {
        let message = format!("the step asks about {name}, with which the pods are not labelled");
        let remedy = format!("add the label {DATABASE_LABEL}{name}: \"\" to the pod template, or correct the name");
        Finding::error(&version.owner.file, line, message, remedy)
    });
    unlabelled.collect()
}

/// The canary's steps.
pub(super) fn steps<'a>(version: &Version<'a>) -> &'a [Node] {
    version.owner.root.list(&["spec", "strategy", "canary", "steps"])
}

/// Whether it is our step, and on.
pub(super) fn is_gate(context: &Context<'_>, step: &Node) -> bool {
    step.text(&["plugin", "name"]) == Some(context.step) && !is_off(step)
}

fn is_off(step: &Node) -> bool {
    step.at(&["plugin", "disabled"]).is_some_and(Node::is_true)
}

/// Whether the step lets canary pods run. A weight of zero does not.
fn opens(step: &Node) -> bool {
    let weight = step.at(&["setWeight"]).is_some_and(|weight| weight.as_integer() != Some(0));
    weight || step.at(&["setCanaryScale"]).is_some() || step.at(&["experiment"]).is_some()
}

fn misnamed_or_off(context: &Context<'_>, version: &Version<'_>, step: &Node) -> Option<Finding> {
    let (name, wanted) = (step.text(&["plugin", "name"])?, context.step);
    let file = &version.owner.file;
    if name == wanted {
        return is_off(step).then(|| {
            let message = format!("the step {wanted} is disabled, and Argo Rollouts passes over it");
            Finding::error(file, step.line, message, "remove disabled: true")
        });
    }
    let near = name.contains("phasegate") || !nearest(name, [wanted]).is_empty();
    near.then(|| {
        let message = format!("Argo Rollouts knows no step plugin {name}");
        Finding::error(
            file,
            step.line,
            message,
            format!("did you mean {wanted}? If the plugin has that name in your cluster, give --step {name}"),
        )
    })
}
