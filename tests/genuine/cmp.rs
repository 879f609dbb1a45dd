//! Argo CD's own config management plugin server of two versions, with the plugin.yaml of our manifests and the
//! renderer as it goes into the image.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::join_all;
use schema_changes::Plan;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    binaries::Target,
    examples::{app_manifests, copy, deliveries, files, root},
};
use tokio::process::Command;

use crate::{
    play::{Played, play},
    target,
};

pub(crate) const VERSIONS: [&str; 2] = ["3.5.7", "3.2.11"];
/// What the plugin could see, and must not tell.
const SECRET: &str = "hunter2";
/// The example that bad input is made of, and that an Application gives parameters to.
const CANARY: &str = "customers-split/2-canary";

/// The renderer beside the repo-server of each version.
pub(crate) struct RepoServers {
    target: Target,
    scratch: TempDir,
    renderer: PathBuf,
}

impl RepoServers {
    pub(crate) fn new() -> Self {
        let (target, scratch) = (target(), tempfile::tempdir().unwrap());
        let bin = scratch.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let renderer = target.ours("phasegate-argocd", &bin).unwrap();
        Self { target, scratch, renderer }
    }

    /// Everything one version asks and is told about the folder `path` of a checkout.
    pub(crate) async fn play(&self, version: &str, checkout: &Path, path: &str, arguments: &[&str]) -> Played {
        let program = |name: &str| self.target.counterpart(&format!("{name}-{version}")).unwrap();
        let mut driver = Command::new(program("cmp-drive"));
        driver.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", self.scratch.path());
        // As the sidecar's environment may hold something, whatever it is.
        driver.env("PHASEGATE_DATABASE_URL", format!("postgres://owner:{SECRET}@db/customers"));
        driver.arg("--server").arg(program("argocd-cmp-server"));
        driver.arg("--plugin-dir").arg(root().join("manifests/plugin-argocd"));
        driver.arg("--bin-dir").arg(self.renderer.parent().unwrap());
        driver.arg("--repo").arg(checkout).args(["--app", path, "--expect-match", "none"]);
        let played = play(driver.args(arguments), Duration::from_secs(60)).await;
        assert_eq!(played.code, Some(0), "Argo CD {version}, {path}: {played}");
        assert!(played.line("counterpart").unwrap().contains(&format!("argo-cd v{version},")), "{played}");
        assert_eq!(played.answer()["plugin"], "phasegate-v1alpha1", "what Applications name in Git");
        assert!(!played.out.contains(SECRET), "a secret was told: {played}");
        played
    }

    /// The manifests, alike in every version.
    pub(crate) async fn manifests(&self, checkout: &Path, path: &str, arguments: &[&str]) -> Vec<String> {
        let plays = VERSIONS.map(|version| self.play(version, checkout, path, arguments));
        let mut told: Vec<Vec<String>> = join_all(plays)
            .await
            .iter()
            .map(|played| serde_json::from_value(played.answer()["manifests"].take()).unwrap())
            .collect();
        let last = told.pop().unwrap();
        assert!(!last.is_empty() && told.iter().all(|other| *other == last), "versions differ: {told:?}\n{last:?}");
        last
    }

    /// The error that both versions hand to whoever asked for manifests. None are handed out beside it.
    pub(crate) async fn refused(&self, checkout: &Path, arguments: &[&str], wanted: &str) {
        let arguments = [arguments, &["--expect-error-contains", wanted]].concat();
        let plays = VERSIONS.map(|version| self.play(version, checkout, "app", &arguments));
        for played in join_all(plays).await {
            let answer = played.answer();
            assert!(answer["manifests"].is_null(), "{answer}");
            let error = answer["error"].as_str().unwrap();
            let (_, rest) = error.split_once(wanted).unwrap();
            assert!(
                format!("{wanted}{}", rest.lines().next().unwrap_or_default()).contains("; "),
                "no remedy: {error}"
            );
        }
    }

    /// What the renderer writes when it is run by hand.
    async fn by_hand(&self, arguments: &[&str], folder: &Path) -> String {
        let mut renderer = Command::new(&self.renderer);
        let made = play(renderer.args(arguments).env_clear().current_dir(folder), Duration::from_secs(20)).await;
        assert_eq!(made.code, Some(0), "{made}");
        made.out
    }
}

impl Played {
    /// The parameters that were announced.
    fn announced(&self) -> Vec<Value> {
        self.answer()["parameters"].as_array().unwrap().clone()
    }
}

fn read(manifests: &[String]) -> Vec<Value> {
    manifests.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn name(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}

fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let (Some(one), None) = (found.next(), found.next()) else { panic!("one {kind} was expected") };
    one
}

/// The pod of the Job and that of the CronJob.
fn pods(objects: &[Value]) -> [Value; 2] {
    let pod = |job: &Value| job["spec"]["template"]["spec"].clone();
    [pod(one(objects, "Job")), pod(&one(objects, "CronJob")["spec"]["jobTemplate"])]
}

/// A checkout whose folder `app` is an example.
pub(crate) fn checkout() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    copy(&root().join("examples").join(CANARY), &directory.path().join("app")).unwrap();
    directory
}

fn edit(checkout: &Path, file: &str, from: &str, to: &str) {
    let path = checkout.join("app").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// What every delivery renders, with the digests at the ends of names left out.
fn check_delivery(folder: &Path, objects: &[Value]) {
    let files = files(folder).unwrap();
    let plan = Plan::read(&files).unwrap();
    let ours = format!("phasegate-{}", plan.database.name);
    let own = app_manifests(&files).unwrap();
    assert!(own.iter().any(|object| object["kind"] == "Rollout"), "an example has an app: {}", folder.display());

    let mut wanted: BTreeSet<String> = own.iter().map(name).collect();
    wanted
        .extend(["ConfigMap", "CronJob", "Role", "RoleBinding", "ServiceAccount"].map(|kind| format!("{kind}/{ours}")));
    wanted.extend([format!("ConfigMap/{ours}-plan-*"), format!("Job/{ours}-*")]);
    let without_digest = |name: String| match name.rsplit_once('-') {
        Some((start, end)) if end.len() == 12 && end.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("{start}-*")
        }
        _ => name,
    };
    let rendered: BTreeSet<String> = objects.iter().map(|object| without_digest(name(object))).collect();
    assert_eq!((rendered, objects.len()), (wanted.clone(), wanted.len()), "{}", folder.display());

    for object in own {
        assert!(objects.contains(&object), "{} is not as it stands in {}", name(&object), folder.display());
    }
    let declared = objects.iter().find(|object| name(object) == format!("ConfigMap/{ours}")).unwrap();
    assert_eq!(declared["data"]["wanted-digest"], plan.digest.to_string());
    for pod in pods(objects) {
        let env = pod["containers"][0]["env"].as_array().unwrap();
        assert!(env.iter().all(|one| one.get("value").is_none()), "only references: {env:?}");
        let reference = json!({"secretKeyRef": {"name": plan.database.runner.name, "key": plan.database.runner.key}});
        assert!(env.iter().any(|one| one["name"] == "PHASEGATE_DATABASE_URL" && one["valueFrom"] == reference));
    }
    assert!(!objects.iter().any(|object| object.to_string().contains("://owner")), "an URL with a user");
}

#[tokio::test]
async fn every_example_is_rendered_and_twice_the_same() {
    let servers = RepoServers::new();
    let (checkout, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy(&root().join("examples"), checkout.path()).unwrap();
    copy(checkout.path(), elsewhere.path()).unwrap();
    let all = deliveries().unwrap();
    assert!(all.len() >= 8 && all.iter().any(|delivery| delivery == CANARY), "{all:?}");
    for delivery in all {
        let (first, again) = tokio::join!(
            servers.manifests(checkout.path(), &delivery, &["--parallel", "4"]),
            servers.manifests(elsewhere.path(), &delivery, &[])
        );
        assert_eq!(first, again, "{delivery}: another checkout of the same commit");
        let objects = read(&first);
        let folder = checkout.path().join(&delivery);
        check_delivery(&folder, &objects);
        let by_hand = servers.by_hand(&["generate", "--namespace", "shop"], &folder).await;
        let by_hand: Vec<Value> = serde_saphyr::from_multiple(&by_hand).unwrap();
        assert_eq!(by_hand, objects, "{delivery}: what Argo CD gets is what is seen on a laptop");
    }
}

#[tokio::test]
async fn the_parameters_are_announced_as_the_renderer_lists_them() {
    let (servers, checkout) = (RepoServers::new(), checkout());
    // protobuf knows no difference between an empty default and none.
    let filled = |mut announced: Vec<Value>| {
        for one in &mut announced {
            let fields = one.as_object_mut().unwrap();
            fields.retain(|_, value| *value != json!("") && *value != json!([]) && *value != json!({}));
        }
        announced
    };
    let listed = servers.by_hand(&["parameters"], checkout.path()).await;
    let listed = filled(serde_json::from_str(&listed).unwrap());
    assert!(listed.iter().any(|one| one["name"] == "image"), "{listed:?}");
    for version in VERSIONS {
        let played = servers.play(version, checkout.path(), "app", &["--expect-parameter", "image"]).await;
        assert_eq!(filled(played.announced()), listed);
    }
    // A form that can still be filled in is what a person needs then.
    edit(checkout.path(), "phasegate.yaml", "  engine:", "  engin:");
    for version in VERSIONS {
        let broken = ["--expect-error-contains", "spec.engin"];
        assert_eq!(filled(servers.play(version, checkout.path(), "app", &broken).await.announced()), listed);
    }
}

#[tokio::test]
async fn what_an_application_gives_is_applied() {
    let (servers, checkout) = (RepoServers::new(), checkout());
    let plain = servers.manifests(checkout.path(), "app", &[]).await;
    let given = [
        json!({"name": "image", "string": "registry.example.org/phasegate:mine"}),
        json!({"name": "resources", "map": {"limits.memory": "512Mi"}}),
        json!({"name": "tolerations", "array": ["dedicated=database:NoSchedule"]}),
    ]
    .map(|parameter| parameter.to_string());
    let arguments: Vec<&str> = given.iter().flat_map(|parameter| ["--parameter", parameter]).collect();
    let objects = read(&servers.manifests(checkout.path(), "app", &arguments).await);
    for pod in pods(&objects) {
        let runner = &pod["containers"][0];
        assert_eq!(runner["image"], "registry.example.org/phasegate:mine");
        assert_eq!(runner["resources"]["limits"]["memory"], "512Mi");
        assert_eq!(runner["resources"]["requests"]["cpu"], "50m", "the other defaults stay");
        let toleration =
            json!([{"key": "dedicated", "operator": "Equal", "value": "database", "effect": "NoSchedule"}]);
        assert_eq!(pod["tolerations"], toleration);
    }
    let job = |objects: &[Value]| name(one(objects, "Job"));
    assert_ne!(job(&objects), job(&read(&plain)), "a Job's pods cannot be changed: it needs another name");

    // Only what is announced has a meaning; Argo CD hands over much more.
    let env = format!("PHASEGATE_DATABASE_URL=postgres://owner:{SECRET}@db/customers");
    let env = ["--env", "IMAGE=registry.example.org/other:1", "--env", "NAMESPACE=other", "--env", &env];
    assert_eq!(servers.manifests(checkout.path(), "app", &env).await, plain);
}

#[tokio::test]
async fn what_is_wrong_reaches_whoever_asked_with_file_line_and_remedy() {
    let servers = RepoServers::new();
    let edits = [
        ("phasegate.yaml", "  engine:", "  engin:", "phasegate.yaml:7: spec.engin: "),
        ("phasegate.yaml", "engine: postgres", "engine: postgre", "phasegate.yaml:7: spec.engine: "),
        (
            "changes/0001-split-full-name.yaml",
            "target: migrated",
            "target: migratd",
            "changes/0001-split-full-name.yaml:8: spec.target: ",
        ),
        ("rollout.yaml", "kind: Rollout", "kind: [", "rollout.yaml:"),
        ("service.yaml", "kind: Service", "password: hunter2", "service.yaml:1: it has no kind"),
    ];
    for (file, from, to, wanted) in edits {
        let checkout = checkout();
        edit(checkout.path(), file, from, to);
        servers.refused(checkout.path(), &[], wanted).await;
    }
    let checkout = checkout();
    let given = [
        (json!({"name": "imge", "string": SECRET}), "parameter imge: there is no such parameter; did you mean image"),
        (json!({"name": "tolerations", "string": SECRET}), "parameter tolerations: it is a list, not a text; "),
    ];
    for (parameter, wanted) in given {
        servers.refused(checkout.path(), &["--parameter", &parameter.to_string()], wanted).await;
    }
}

/// Argo CD would take an empty answer for the wish to prune everything.
#[tokio::test]
async fn a_folder_with_nothing_to_render_is_an_error() {
    let servers = RepoServers::new();
    let nothing = "there is no phasegate.yaml in this folder or below it";
    let empty = tempfile::tempdir().unwrap();
    // Of a checkout without any file Argo CD makes an error by itself.
    fs::create_dir(empty.path().join("app")).unwrap();
    fs::write(empty.path().join("README.md"), "a repository\n").unwrap();
    servers.refused(empty.path(), &[], nothing).await;
    let without = checkout();
    fs::remove_file(without.path().join("app/phasegate.yaml")).unwrap();
    fs::remove_dir_all(without.path().join("app/changes")).unwrap();
    servers.refused(without.path(), &[], nothing).await;
}
