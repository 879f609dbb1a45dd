//! Pod templates in the app's manifests, and the marks Phasegate reads on them.

use super::{Manifest, node::Node};

/// Label on a pod template: uses this database.
pub(crate) const DATABASE_LABEL: &str = "database.phasegate.dev/";
/// Annotation on a pod template: what it was built for.
pub(crate) const SUPPORTS: &str = "supports.phasegate.dev/";
/// Annotation on a pod template: the ConfigMap with its own SQL.
pub(crate) const STATEMENTS: &str = "statements.phasegate.dev/";

/// The kinds that make pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WorkloadKind {
    Rollout,
    Experiment,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Job,
    CronJob,
    Pod,
}

impl WorkloadKind {
    pub(crate) fn of(manifest: &Manifest) -> Option<Self> {
        match (manifest.group(), manifest.kind.as_str()) {
            ("argoproj.io", "Rollout") => Some(Self::Rollout),
            ("argoproj.io", "Experiment") => Some(Self::Experiment),
            ("apps", "Deployment") => Some(Self::Deployment),
            ("apps", "StatefulSet") => Some(Self::StatefulSet),
            ("apps", "DaemonSet") => Some(Self::DaemonSet),
            ("apps", "ReplicaSet") => Some(Self::ReplicaSet),
            ("batch", "Job") => Some(Self::Job),
            ("batch", "CronJob") => Some(Self::CronJob),
            ("", "Pod") => Some(Self::Pod),
            _ => None,
        }
    }

    const fn template_path(self) -> &'static [&'static str] {
        match self {
            Self::Rollout | Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet | Self::Job => {
                &["spec", "template"]
            }
            Self::CronJob => &["spec", "jobTemplate", "spec", "template"],
            // An Experiment has a list of templates, a pod is one.
            Self::Experiment | Self::Pod => &[],
        }
    }
}

/// One version of an app: a pod template, and the object that starts pods from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version<'a> {
    pub(crate) owner: &'a Manifest,
    pub(crate) kind: WorkloadKind,
    /// Where the template stands: the owner, or what its `workloadRef` names.
    pub(crate) written_in: &'a Manifest,
    pub(crate) template: &'a Node,
}

impl<'a> Version<'a> {
    /// `Rollout/customers`.
    pub(crate) fn title(&self) -> String {
        self.owner.title()
    }

    /// The databases it is labelled with, and the labels.
    pub(crate) fn databases(&self) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        self.template
            .entries(&["metadata", "labels"])
            .filter_map(|(key, node)| Some((key.strip_prefix(DATABASE_LABEL)?, node)))
    }

    pub(crate) fn uses(&self, database: &str) -> bool {
        self.databases().any(|(name, _)| name == database)
    }

    /// The annotation that says what it supports.
    pub(crate) fn supports(&self, database: &str) -> Option<&'a Node> {
        self.template.at(&["metadata", "annotations", &format!("{SUPPORTS}{database}")])
    }

    pub(crate) fn pod_spec(&self) -> Option<&'a Node> {
        self.template.at(&["spec"])
    }

    /// Every container, init containers first.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &'a Node> + use<'a> {
        let spec = self.pod_spec();
        ["initContainers", "containers"]
            .into_iter()
            .flat_map(move |list| spec.map_or(&[][..], |spec| spec.list(&[list])))
    }

    /// Whether an init container asks the gate's question and waits for yes.
    pub(crate) fn has_waiting_check(&self) -> bool {
        let init = self.pod_spec().map_or(&[][..], |spec| spec.list(&["initContainers"]));
        init.iter().any(|container| {
            let words = command_line(container);
            runs_phasegate(container)
                && words.contains(&"check")
                && words.iter().any(|word| *word == "--wait" || word.starts_with("--wait="))
        })
    }

    /// The strategy of a blue-green Rollout.
    pub(crate) fn blue_green(&self) -> Option<&Node> {
        self.owner.root.at(&["spec", "strategy", "blueGreen"])
    }

    /// The line to show for the whole version.
    pub(crate) fn line(&self) -> u32 {
        self.template.line
    }
}

/// The words of `command` and `args`.
pub(crate) fn command_line(container: &Node) -> Vec<&str> {
    let words = |list: &'static str| container.list(&[list]).iter().filter_map(Node::as_text);
    words("command").chain(words("args")).flat_map(str::split_whitespace).collect()
}

/// Whether the container starts the binary `phasegate`: by its command, or by an image of that name.
pub(crate) fn runs_phasegate(container: &Node) -> bool {
    let by_command = command_line(container).iter().any(|word| word.rsplit('/').next() == Some("phasegate"));
    let image = container.text(&["image"]).unwrap_or_default();
    let image = image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    by_command || image.split(':').next() == Some("phasegate")
}

/// The versions in all manifests. A template that a Rollout borrows by `workloadRef` belongs to the Rollout.
pub(crate) fn versions<'a>(manifests: &[&'a Manifest]) -> Vec<Version<'a>> {
    let borrowed: Vec<(&Manifest, &Manifest)> = manifests
        .iter()
        .filter(|manifest| WorkloadKind::of(manifest) == Some(WorkloadKind::Rollout))
        .filter_map(|rollout| Some((*rollout, borrowed_by(rollout, manifests)?)))
        .collect();
    let mut versions = Vec::new();
    for manifest in manifests {
        let Some(kind) = WorkloadKind::of(manifest) else { continue };
        if borrowed.iter().any(|(_, lender)| std::ptr::eq(*lender, *manifest)) {
            continue;
        }
        let lender = borrowed.iter().find(|(rollout, _)| std::ptr::eq(*rollout, *manifest)).map(|(_, lender)| *lender);
        let written_in = lender.unwrap_or(manifest);
        if kind == WorkloadKind::Experiment {
            let templates = manifest.root.list(&["spec", "templates"]).iter().filter_map(|item| item.at(&["template"]));
            versions.extend(templates.map(|template| Version { owner: manifest, kind, written_in, template }));
        } else if let Some(template) = written_in.root.at(kind.template_path()) {
            versions.push(Version { owner: manifest, kind, written_in, template });
        }
    }
    versions
}

fn borrowed_by<'a>(rollout: &Manifest, manifests: &[&'a Manifest]) -> Option<&'a Manifest> {
    let (kind, name) =
        (rollout.root.text(&["spec", "workloadRef", "kind"])?, rollout.root.text(&["spec", "workloadRef", "name"])?);
    manifests
        .iter()
        .find(|other| other.kind == kind && other.name == name && other.namespace == rollout.namespace)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::super::ManifestFile;
    use super::*;

    #[test]
    fn a_template_is_found_in_every_kind_and_a_borrowed_one_belongs_to_its_rollout() {
        let file = ManifestFile::read(
            "all.yaml",
            r"
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: borrowing}
spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: lent}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: lent}
spec:
  replicas: 0
  template:
    metadata:
      labels: {database.phasegate.dev/customers: ''}
      annotations: {supports.phasegate.dev/customers: split}
    spec:
      initContainers: [{name: wait, image: 'r.example/phasegate:1@sha256:0', args: [check, --wait]}]
      containers: [{name: app, image: app:1}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: c}
spec: {jobTemplate: {spec: {template: {metadata: {labels: {database.phasegate.dev/a: '', database.phasegate.dev/b: ''}}}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Experiment
metadata: {name: e}
spec: {templates: [{name: x, template: {spec: {}}}, {name: y, template: {spec: {}}}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {database.phasegate.dev/a: ''}}, spec: {}}
---
{apiVersion: v1, kind: Service, metadata: {name: s}}
",
        )
        .unwrap()
        .unwrap();
        let all: Vec<&Manifest> = file.manifests.iter().collect();
        let found = versions(&all);
        let titles: Vec<String> = found.iter().map(Version::title).collect();
        assert_eq!(titles, ["Rollout/borrowing", "CronJob/c", "Experiment/e", "Experiment/e", "Pod/p"]);
        assert_eq!(found[0].written_in.title(), "Deployment/lent");
        assert_eq!(found[0].supports("customers").and_then(Node::as_text), Some("split"));
        assert!(found[0].has_waiting_check());
        assert!(!found[1].has_waiting_check());
        assert_eq!(found[1].databases().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
        assert!(found[4].uses("a"));
    }

    #[test]
    fn phasegate_is_known_by_its_command_or_its_image() {
        let check = |yaml: &str, expected: bool| {
            let node = &node_of(yaml);
            assert_eq!(runs_phasegate(node), expected, "{yaml}");
        };
        check("{image: ghcr.io/phasegate/phasegate:1}", true);
        check("{image: 'registry:5000/x', command: [/bin/phasegate, run]}", true);
        check("{image: 'x', command: [sh, -c, 'phasegate run --plan /x']}", true);
        check("{image: ghcr.io/phasegate/phasegate-argocd:1}", false);
        check("{image: 'x', command: [phasegated]}", false);
    }

    fn node_of(yaml: &str) -> Node {
        super::super::node::documents(yaml).unwrap().remove(0)
    }
}
