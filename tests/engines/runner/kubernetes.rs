//! Live versions and the wanted plan through the API, by the real binary.

use serde_json::{Value, json};
use tests::kube_api::KubeApi;
use tokio::process::Command;

use crate::{
    binary::{Said, phasegate, said},
    database::Database,
    project::Project,
};

struct Cluster {
    api: KubeApi,
    database: Database,
    project: Project,
}

impl Cluster {
    async fn new(goal: &str) -> Self {
        let database = Database::sqlite().await;
        database.customers(100).await;
        let project = Project::split(&database, goal);
        let api = KubeApi::start(database.directory.path(), "shop").await.unwrap();
        Self { api, database, project }
    }

    fn command(&self) -> Command {
        let plan = self.project.plan.to_str().unwrap();
        let more = ["run", "--plan", plan, "--kubernetes", "--retry-for", "1s"];
        let mut command = phasegate(&self.database.url(), &more);
        command.env("KUBECONFIG", &self.api.kubeconfig).env("PHASEGATE_NAMESPACE", "shop");
        command
    }

    async fn run(&self) -> Said {
        said(self.command()).await
    }

    fn wants(&self, digest: &str) {
        self.api.objects.put(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "phasegate-customers", "namespace": "shop"},
            "data": {"format": "1", "wanted-digest": digest},
        }));
    }

    /// Wants the plan that is there.
    fn wants_this(&self) {
        let mut files = std::collections::BTreeMap::new();
        for name in ["phasegate.yaml", "changes/0001-split-full-name.yaml"] {
            files.insert(name.to_owned(), std::fs::read_to_string(self.project.plan.join(name)).unwrap());
        }
        self.wants(schema_changes::Plan::read(&files).unwrap().digest.as_str());
    }
}

fn workload(kind: &str, api_version: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"database.phasegate.dev/customers": ""}}}},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contract_waits_for_the_last_old_template_and_the_wanted_plan_is_obeyed() {
    let cluster = Cluster::new("target: contracted").await;
    cluster.run().await.expect(75, &["the ConfigMap shop/phasegate-customers does not exist"]);
    assert_eq!(cluster.database.phase("split-full-name").await, "unknown");
    cluster.wants(&"0".repeat(64));
    cluster.run().await.expect(0, &["superseded"]);
    assert_eq!(cluster.database.phase("split-full-name").await, "unknown");

    cluster.wants_this();
    cluster.api.objects.put(workload("Rollout", "argoproj.io/v1alpha1", 0));
    cluster.run().await.expect(0, &["blocked by shop/Rollout web, which needs pending..migrated"]);
    cluster.api.objects.remove("rollouts", "shop", "web");
    cluster.api.objects.put(workload("Deployment", "apps/v1", 3));
    cluster.run().await.expect(0, &["blocked by shop/Deployment web"]);
    cluster.api.objects.remove("deployments", "shop", "web");
    cluster.run().await.expect(0, &["is contracted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_is_away_moves_nothing() {
    let cluster = Cluster::new("target: migrated").await;
    let mut command = cluster.command();
    let config = std::fs::read_to_string(&cluster.api.kubeconfig).unwrap();
    let nowhere = cluster.database.directory.path().join("nowhere");
    let port = config.split("127.0.0.1:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    std::fs::write(&nowhere, config.replace(&port, "1")).unwrap();
    command.env("KUBECONFIG", &nowhere);
    said(command).await.expect(75, &["the wanted plan is out of reach"]);
    assert_eq!(cluster.database.phase("split-full-name").await, "unknown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_init_container_passes_an_outage_only_beside_a_ready_pod_of_its_template() {
    let cluster = Cluster::new("target: migrated").await;
    let pod = |name: &str, ready: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": "shop", "labels": {"pod-template-hash": "a"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-a", "uid": "1"}],
            },
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
        })
    };
    let ask = |url: &str| {
        let mut command = phasegate(url, &["check", "--database", "customers", "--pod-aware"]);
        command.env("KUBECONFIG", &cluster.api.kubeconfig).env("PHASEGATE_NAMESPACE", "shop").env("POD_NAME", "me");
        command
    };
    let away = "sqlite:///nowhere/at/all.db";
    cluster.api.objects.put(pod("me", "False"));
    said(ask(away)).await.expect(5, &["undecided", "no other pod of the same template is Ready"]);
    cluster.api.objects.put(pod("other", "True"));
    said(ask(away)).await.expect(0, &["undecided", "another pod of the same template is Ready"]);
    // Only an outage is passed: what is known to be wrong is not.
    said(ask(&cluster.database.url())).await.expect(3, &["wait"]);
}
