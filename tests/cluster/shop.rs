//! Where a scenario plays: a namespace, a database, a Git repository and an Application of its own, and its users.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::Api,
    database::Server,
    delivery::{Delivery, example},
    figures::Line,
    kubectl::{kubectl, kubectl_with, now, tell, until},
};

/// Where the Git server and the database servers are.
pub(crate) const SERVICES: &str = "phasegate-e2e";
/// On a machine that builds other things meanwhile.
pub(crate) const SOON: Duration = Duration::from_secs(300);

/// Where a change stands, as a value of the ledger's table of changes.
pub(crate) const PHASE: &str = "CASE WHEN moving_to IS NULL THEN phase ELSE CONCAT(phase, ' to ', moving_to) END";

/// How often Argo CD is asked to look again.
const AGAIN: Duration = Duration::from_secs(4);

/// What is delivered: the Rollout, its Service, its Database, its image and the beginning of its Secrets' names are all
/// called so.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) name: &'static str,
    /// The folder below `examples/`.
    pub(crate) example: &'static str,
    /// Where its database is.
    pub(crate) server: Server,
    /// What the owner of the database made before Phasegate came; the app's role is `{app}`.
    pub(crate) tables: fn(app: &str, rows: u32) -> String,
}

/// The app of `examples/customers-split`.
pub(crate) const CUSTOMERS: App = App {
    name: "customers",
    example: "customers-split",
    server: Server::Postgres,
    tables: |app, rows| {
        format!(
            "CREATE TABLE customers (id bigint PRIMARY KEY, full_name text NOT NULL, revision bigint NOT NULL);
             INSERT INTO customers SELECT id, 'F' || id || ' R0', 0 FROM generate_series(1, {rows}) AS id;
             GRANT SELECT, INSERT, UPDATE ON customers TO {app};"
        )
    },
};

impl App {
    /// A folder of its example, as it is on its server.
    pub(crate) fn delivery(&self, folder: &str) -> Delivery {
        let delivery = Delivery::of(self.example, folder);
        match self.server {
            Server::Postgres => delivery,
            Server::Mariadb => delivery.with("phasegate.yaml", "engine: postgres", "engine: mariadb"),
        }
    }
}

/// The place of one scenario.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) app: &'static App,
    pub(crate) api: Api,
    pub(crate) namespace: String,
    pub(crate) database: String,
    /// Its line in the table of all scenarios.
    pub(crate) line: Line,
}

/// One entry of `status.canary.stepPluginStatuses`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) index: i64,
    pub(crate) phase: String,
    #[serde(default)]
    pub(crate) message: String,
}

impl Shop {
    /// A namespace with its Secrets, and a database with that many customers, whom version 1 will serve.
    pub(crate) async fn open(name: &str, rows: u32) -> Self {
        Self::open_for(&CUSTOMERS, name, rows).await
    }

    /// Likewise, for another app.
    pub(crate) async fn open_for(app: &'static App, name: &str, rows: u32) -> Self {
        let shop = Self {
            app,
            api: Api::new().await,
            namespace: format!("shop-{name}"),
            database: format!("shop_{}", name.replace('-', "_")),
            line: Line::new(name),
        };
        let labels = json!({
            "phasegate.dev/e2e": "",
            "pod-security.kubernetes.io/enforce": "restricted",
        });
        shop.clear().await;
        let metadata = json!({"name": shop.namespace, "labels": labels});
        shop.api.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
        shop.make_database(rows).await;
        for role in ["owner", "reader", "app"] {
            let url = app.server.url(&shop.database, role);
            let metadata = json!({"name": format!("{}-{role}", app.name), "namespace": shop.namespace});
            let secret =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"url": url}});
            shop.api.apply(&secret).await;
        }
        shop
    }

    /// A shop that version 1 serves, and its users.
    pub(crate) async fn serving(name: &str, rows: u32, version_1: &Delivery) -> Self {
        let shop = Self::open(name, rows).await;
        shop.deliver("version 1", version_1).await;
        shop.rollout_is("Healthy").await;
        shop.users_come(rows).await;
        shop
    }

    /// What an earlier run left in a cluster that was kept.
    async fn clear(&self) {
        let repository = format!("/srv/git/{}.git", self.namespace);
        let work = format!("/srv/git/{}.work", self.namespace);
        if self.look_for("namespace", "").await {
            for (kind, namespace) in [("application", "argocd"), ("namespace", "")] {
                self.api.delete(kind, namespace, &self.namespace).await.unwrap_or_else(|error| panic!("{error}"));
                until(&format!("the {kind} of an earlier run is gone"), SOON, async || {
                    if self.look_for(kind, namespace).await { Err("it is there".to_owned()) } else { Ok(()) }
                })
                .await;
            }
            let git = ["exec", "-n", SERVICES, "deployment/git", "--", "/bin/rm", "-rf", &repository, &work];
            kubectl(&git).await.unwrap_or_else(|error| panic!("{error}"));
            self.clear_database().await;
        }
    }

    /// Whether an object of this scenario's name is there.
    async fn look_for(&self, kind: &str, namespace: &str) -> bool {
        !matches!(self.api.get(kind, namespace, &self.namespace).await, Err(why) if why.contains("not found"))
    }

    /// For the person who runs the tests.
    pub(crate) fn tell(&self, what: std::fmt::Arguments<'_>) {
        tell(&self.namespace, what);
    }

    /// Commits, and has Argo CD look at once rather than at its next round. Waits until it has applied the commit.
    pub(crate) async fn deliver(&self, message: &str, delivery: &Delivery) {
        let commit = self.commit(message, delivery).await;
        self.synced(&commit).await;
    }

    /// Commits, and gives the commit. The Application comes with the first.
    pub(crate) async fn commit(&self, message: &str, delivery: &Delivery) -> String {
        let deliver = ["exec", "-i", "-n", SERVICES, "deployment/git", "--", "/deliver", &self.namespace, message];
        let files = delivery.for_users(&self.app.server.declared_users(&self.database)).archive();
        let commit = kubectl_with(&deliver, &files).await.unwrap_or_else(|error| panic!("{error}"));
        let commit = commit.trim().to_owned();
        if self.application().await.is_err() {
            self.api.apply(&self.declared()).await;
        }
        self.tell(format_args!("git {}: {message}", commit.get(..7).unwrap_or(&commit)));
        commit
    }

    /// Waits until Argo CD has applied the commit.
    pub(crate) async fn synced(&self, commit: &str) {
        let mut asked = None;
        until("Argo CD has applied the commit", SOON, async || {
            let application = self.application().await?;
            let operation = &application["status"]["operationState"];
            if operation["syncResult"]["revision"] == commit && operation["phase"] == "Succeeded" {
                return Ok(());
            }
            if asked.is_none_or(|at| now().duration_since(at) > AGAIN) {
                self.refresh().await?;
                asked = Some(now());
            }
            Err(format!("{operation}, {}", application["status"]["conditions"]))
        })
        .await;
    }

    /// Has Argo CD look at Git now.
    pub(crate) async fn refresh(&self) -> Result<(), String> {
        self.api.annotate("application", "argocd", &self.namespace, "argocd.argoproj.io/refresh", "normal").await
    }

    /// The Application as it is now.
    pub(crate) async fn application(&self) -> Result<Value, String> {
        self.api.get("application", "argocd", &self.namespace).await
    }

    /// The example's, for this repository and namespace, and with a CronJob a test can wait for.
    fn declared(&self) -> Value {
        let text = std::fs::read_to_string(example(self.app.example).join("argocd/application.yaml")).unwrap();
        let mut application: Value = serde_saphyr::from_str(&text).unwrap();
        application["metadata"]["name"] = json!(self.namespace);
        let source = &mut application["spec"]["source"];
        source["repoURL"] = json!(format!("git://git.{SERVICES}.svc.cluster.local/{}.git", self.namespace));
        source["path"] = json!(".");
        let parameters = source["plugin"]["parameters"].as_array_mut().unwrap();
        parameters.push(json!({"name": "schedule", "string": "* * * * *"}));
        // Many scenarios at once on a small machine.
        let resources = parameters.iter_mut().find(|parameter| parameter["name"] == "resources").unwrap();
        resources["map"]["requests.cpu"] = json!("5m");
        resources["map"]["requests.memory"] = json!("16Mi");
        application["spec"]["destination"]["namespace"] = json!(self.namespace);
        application
    }

    /// An object of this namespace as it is now.
    pub(crate) async fn look(&self, kind: &str, name: &str) -> Result<Value, String> {
        self.api.get(kind, &self.namespace, name).await
    }

    /// The Rollout as it is now.
    pub(crate) async fn rollout(&self) -> Result<Value, String> {
        self.look("rollout", self.app.name).await
    }

    /// Waits until the Rollout says that phase of itself, having seen its newest revision.
    pub(crate) async fn rollout_is(&self, phase: &str) -> Value {
        until(&format!("the Rollout is {phase}"), SOON, async || {
            let rollout = self.rollout().await?;
            let status = &rollout["status"];
            // A number there, the same as text here.
            let newest = rollout["metadata"]["generation"].to_string();
            if status["observedGeneration"] == newest.as_str() && status["phase"] == phase {
                return Ok(rollout);
            }
            Err(format!("{}: {}", status["phase"], status["message"]))
        })
        .await
    }

    /// Waits until the first gate of the current canary says something that is wanted.
    pub(crate) async fn gate_says(&self, what: &str, wanted: impl Fn(&Step) -> bool) -> Step {
        until(&format!("the gate {what}"), SOON, async || {
            let rollout = self.rollout().await?;
            let steps = rollout["status"]["canary"]["stepPluginStatuses"].clone();
            let steps: Vec<Step> = serde_json::from_value(steps).unwrap_or_default();
            let first = steps.into_iter().find(|step| step.index == 0).ok_or("it was not asked yet")?;
            if wanted(&first) { Ok(first) } else { Err(format!("{}: {}", first.phase, first.message)) }
        })
        .await
    }

    /// What a person does with the plugin of kubectl, and what it says.
    pub(crate) async fn person(&self, command: &[&str]) -> String {
        self.tell(format_args!("person: kubectl argo rollouts {}", command.join(" ")));
        let said = kubectl(&[&["argo", "rollouts", "-n", &self.namespace], command].concat()).await;
        said.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The pods of the app, whatever becomes of them.
    pub(crate) async fn pods(&self) -> Vec<Value> {
        let labels = format!("app.kubernetes.io/name={}", self.app.name);
        self.api.list("pod", &self.namespace, &labels).await.unwrap()
    }

    /// How many pods of that version there are, whatever becomes of them.
    pub(crate) async fn pods_of(&self, version: &str) -> usize {
        let image = format!("registry.example.com/{}:{version}", self.app.name);
        self.pods().await.iter().filter(|pod| pod["spec"]["containers"][0]["image"] == image).count()
    }

    /// Waits until the last pod of that version is gone.
    pub(crate) async fn no_pods_of(&self, version: &str) {
        until(&format!("the last pod of {version} is gone"), SOON, async || {
            let pods = self.pods_of(version).await;
            if pods == 0 { Ok(()) } else { Err(format!("{pods} are there")) }
        })
        .await;
    }

    /// Waits until all changes are at rest at that phase.
    pub(crate) async fn change_is(&self, phase: &str) {
        until(&format!("the schema is {phase}"), SOON, async || {
            let found =
                self.ledger(&format!("SELECT DISTINCT {PHASE} FROM {}changes", self.app.server.ledger())).await?;
            if found == phase { Ok(()) } else { Err(found) }
        })
        .await;
        self.tell(format_args!("schema: {phase}"));
    }

    /// Values of this database, asked by its administrator at the desk.
    pub(crate) async fn ledger(&self, sql: &str) -> Result<String, String> {
        let page = format!("{}/{}", self.app.server.engine(), self.database);
        Ok(self.api.asked(SERVICES, "desk:8080", &page, sql).await?.trim().to_owned())
    }

    /// The names of a table's columns, in order of the alphabet.
    pub(crate) async fn columns(&self, table: &str) -> String {
        let sql = format!(
            "SELECT column_name FROM information_schema.columns \
             WHERE table_schema = {} AND table_name = '{table}' ORDER BY column_name",
            self.app.server.schema()
        );
        self.ledger(&sql).await.unwrap().replace('\n', " ")
    }

    /// The text of everything that runs of the plan in Git have said: of Jobs, and of those the CronJob made.
    pub(crate) async fn runs_said(&self) -> Result<String, String> {
        let plan = self.look("configmap", &format!("phasegate-{}", self.app.name)).await?;
        let digest = plan["metadata"]["labels"]["phasegate.dev/plan-digest"].as_str().unwrap_or("").to_owned();
        let mut said = String::new();
        for pod in self.api.list("pod", &self.namespace, &format!("phasegate.dev/plan-digest={digest}")).await? {
            let name = pod["metadata"]["name"].as_str().unwrap_or("").to_owned();
            for line in self.api.logs(&self.namespace, &name, None).await?.lines() {
                said.push_str(&format!("[{name}] {line}\n"));
            }
        }
        Ok(said)
    }

    /// What a container of a pod has said; nothing if it has no such container.
    pub(crate) async fn container_said(&self, pod: &str, container: &str) -> Result<String, String> {
        self.api.logs(&self.namespace, pod, Some(container)).await
    }

    /// Waits until a run of the plan in Git says a line that is wanted, and gives that line.
    pub(crate) async fn run_says(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let said = until(&format!("a run says {what}"), SOON, async || {
            let said = self.runs_said().await?;
            said.lines().find(|line| wanted(line)).map(str::to_owned).ok_or(said)
        })
        .await;
        self.tell(format_args!("run: {said}"));
        said
    }

    /// Takes away what uses the machine. A scenario that fails keeps it for a look.
    pub(crate) async fn close(&self) {
        let _ = self.api.delete("application", "argocd", &self.namespace).await;
        let _ = self.api.delete("namespace", "", &self.namespace).await;
    }
}
