//! The app's own manifests: read to be judged, passed through as the text they are.

pub(crate) mod node;
pub(crate) mod workload;

use crate::problem::Problem;
use node::{Node, documents};

/// One file of manifests, as it is, and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ManifestFile {
    pub(crate) path: String,
    /// Never written anew: a YAML 1.1 reader such as Argo's must see what its author saw.
    pub(crate) text: String,
    pub(crate) manifests: Vec<Manifest>,
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    pub(crate) file: String,
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) root: Node,
}

impl Manifest {
    /// The group of its API version; empty for the core group.
    pub(crate) fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// `Rollout/customers`.
    pub(crate) fn title(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&Node> {
        self.root.at(&["metadata", "annotations", key])
    }
}

impl ManifestFile {
    /// Reads one file; `None` when it holds nothing but comments.
    ///
    /// # Errors
    /// What is no YAML, and the first object that is none.
    pub(crate) fn read(path: &str, text: &str) -> Result<Option<Self>, Problem> {
        // A byte order mark is legal at the start of a file only, and this text ends up in the middle of a stream.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(line) = text.lines().position(|line| line.starts_with("%YAML") || line.starts_with("%TAG")) {
            let problem = Problem::new(path, "a YAML directive cannot be passed on", "remove the line");
            return Err(problem.line(u32::try_from(line + 1).ok()));
        }
        let roots = documents(text).map_err(|error| {
            let message = format!("it is no YAML that can be read: {}", error.message);
            Problem::new(path, message, "correct it, or list the file in the parameter exclude").line(error.line)
        })?;
        let mut manifests = Vec::new();
        for root in roots {
            collect(path, root, &mut manifests)?;
        }
        if manifests.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { path: path.to_owned(), text: text.to_owned(), manifests }))
    }
}

/// One document is one object, or a `List` of them.
fn collect(path: &str, root: Node, into: &mut Vec<Manifest>) -> Result<(), Problem> {
    let text = |field: &[&str]| root.text(field).filter(|text| !text.is_empty()).map(str::to_owned);
    let (Some(api_version), Some(kind)) = (text(&["apiVersion"]), text(&["kind"])) else {
        let missing = if text(&["kind"]).is_none() { "kind" } else { "apiVersion" };
        return Err(Problem::new(
            path,
            format!("it has no {missing}, so it is no Kubernetes object"),
            "list the file in the parameter exclude; for Helm or Kustomize, let a source of its own render it and set \
             the parameter manifests to ignore",
        )
        .line(root.line));
    };
    if kind == "Kustomization" && api_version.starts_with("kustomize.config.k8s.io/") {
        return Err(kustomization(path).line(root.line));
    }
    if kind.ends_with("List") && root.at(&["items"]).is_some() {
        return root.list(&["items"]).iter().try_for_each(|item| collect(path, item.clone(), into));
    }
    let name = text(&["metadata", "name"]).or_else(|| text(&["metadata", "generateName"])).unwrap_or_default();
    let namespace = text(&["metadata", "namespace"]);
    into.push(Manifest { file: path.to_owned(), api_version, kind, name, namespace, root });
    Ok(())
}

/// A folder that is meant for Kustomize must not be passed through file by file.
pub(crate) fn kustomization(path: &str) -> Problem {
    Problem::new(
        path,
        "the folder is a Kustomization, which Phasegate does not render",
        "let a source of its own render it and set the parameter manifests to ignore",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<ManifestFile>, String> {
        ManifestFile::read("app.yaml", text).map_err(|problem| problem.to_string())
    }

    #[test]
    fn objects_and_lists_of_them_are_found() {
        let file = read(
            "# hello\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}\n- apiVersion: v1\n  kind: Service\n  metadata: {name: b, namespace: ns}\n",
        )
        .unwrap()
        .unwrap();
        let titles: Vec<String> = file.manifests.iter().map(Manifest::title).collect();
        assert_eq!(titles, ["Deployment/a", "Service/b"]);
        assert_eq!((file.manifests[0].group(), file.manifests[1].group()), ("apps", ""));
        assert_eq!(file.manifests[1].namespace.as_deref(), Some("ns"));
        assert_eq!(file.manifests[1].root.line, 7);
    }

    #[test]
    fn a_file_of_comments_is_nothing_and_every_bad_file_says_where_and_what_to_do() {
        assert_eq!(read("# nothing\n---\n---\n"), Ok(None));
        assert_eq!(read(""), Ok(None));
        let check = |text: &str, start: &str| {
            let message = read(text).expect_err(text);
            assert!(message.starts_with(start), "{message}");
        };
        check("image: x\n", "app.yaml:1: it has no kind, so it is no Kubernetes object; list the file");
        check("a: 1\n---\nkind: Pod\n", "app.yaml:1: it has no kind");
        check("kind: Pod\n", "app.yaml:1: it has no apiVersion");
        check("- a\n", "app.yaml:1: it has no kind");
        check("kind: [Pod\n", "app.yaml:");
        check("%YAML 1.1\n---\nkind: Pod\n", "app.yaml:1: a YAML directive");
        check("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", "app.yaml:1: the folder is a Kust");
    }
}
