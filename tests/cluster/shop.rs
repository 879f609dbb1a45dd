//! Where a scenario plays: a namespace, a database, a Git repository and an Application of its own, and its users.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    delivery::{Delivery, example},
    kubectl::{apply, kubectl, kubectl_with, look, tell, until},
};

/// Where the Git and the PostgreSQL server are.
const SERVICES: &str = "phasegate-e2e";
/// Every role's; the server ends with the cluster.
const PASSWORD: &str = "only-for-tests";
/// The Rollout, its Service and its Database in the example.
pub(crate) const ROLLOUT: &str = "customers";
/// On a machine that builds other things meanwhile.
pub(crate) const SOON: Duration = Duration::from_secs(180);

/// The place of one scenario.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    namespace: String,
    database: String,
}

/// One entry of `status.canary.stepPluginStatuses`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) index: i64,
    pub(crate) phase: String,
    #[serde(default)]
    pub(crate) message: String,
}

/// What the users tell.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) writes: u64,
    pub(crate) failed: u64,
    pub(crate) lost: u64,
    pub(crate) verified: u64,
    pub(crate) served: BTreeMap<String, u64>,
    pub(crate) why: Vec<String>,
}

impl Figures {
    /// How many requests that version answered.
    pub(crate) fn served_by(&self, version: &str) -> u64 {
        self.served.get(version).copied().unwrap_or(0)
    }
}

impl Shop {
    /// A namespace with its Secrets, and a database with that many customers, whom version 1 will serve.
    pub(crate) async fn open(name: &str, rows: u32) -> Self {
        let shop = Self { namespace: format!("shop-{name}"), database: format!("shop_{}", name.replace('-', "_")) };
        let labels = json!({
            "phasegate.dev/e2e": "",
            "pod-security.kubernetes.io/enforce": "restricted",
        });
        shop.clear().await;
        apply(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": shop.namespace, "labels": labels}}),
        )
        .await;
        shop.fill(rows).await;
        for (secret, role) in [("customers-owner", "owner"), ("customers-reader", "reader"), ("customers-app", "app")] {
            let url = format!(
                "postgres://{0}_{role}:{PASSWORD}@postgres.{SERVICES}.svc.cluster.local/{0}?sslmode=disable",
                shop.database
            );
            apply(&json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": secret, "namespace": shop.namespace}, "stringData": {"url": url},
            }))
            .await;
        }
        shop
    }

    /// What an earlier run left in a cluster that was kept.
    async fn clear(&self) {
        let name = &self.database;
        let repository = format!("/srv/git/{}.git", self.namespace);
        let work = format!("/srv/git/{}.work", self.namespace);
        for command in [
            &["delete", "--ignore-not-found", "-n", "argocd", "application", &self.namespace][..],
            &["delete", "--ignore-not-found", "namespace", &self.namespace],
            &["exec", "-n", SERVICES, "deployment/git", "--", "/bin/rm", "-rf", &repository, &work],
        ] {
            kubectl(command).await.unwrap_or_else(|error| panic!("{error}"));
        }
        let sql = format!(
            "SET client_min_messages = error;
             DROP DATABASE IF EXISTS {name} WITH (FORCE);
             DROP ROLE IF EXISTS {name}_owner, {name}_reader, {name}_app;"
        );
        psql("postgres", &sql).await.unwrap_or_else(|error| panic!("{error}"));
    }

    async fn fill(&self, rows: u32) {
        let name = &self.database;
        let sql = format!(
            "CREATE ROLE {name}_owner LOGIN PASSWORD '{PASSWORD}';
             CREATE ROLE {name}_reader LOGIN PASSWORD '{PASSWORD}';
             CREATE ROLE {name}_app LOGIN PASSWORD '{PASSWORD}';
             CREATE DATABASE {name} OWNER {name}_owner;
             \\connect {name}
             SET ROLE {name}_owner;
             CREATE TABLE customers (id bigint PRIMARY KEY, full_name text NOT NULL, revision bigint NOT NULL);
             INSERT INTO customers SELECT id, 'F' || id || ' R0', 0 FROM generate_series(1, {rows}) AS id;
             GRANT SELECT, INSERT, UPDATE ON customers TO {name}_app;
             RESET ROLE;
             CREATE SCHEMA phasegate AUTHORIZATION {name}_owner;
             GRANT USAGE ON SCHEMA phasegate TO {name}_reader;
             ALTER DEFAULT PRIVILEGES FOR ROLE {name}_owner IN SCHEMA phasegate GRANT SELECT ON TABLES TO {name}_reader;
             ANALYZE customers;"
        );
        psql("postgres", &sql).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// For the person who runs the tests.
    pub(crate) fn tell(&self, what: std::fmt::Arguments<'_>) {
        tell(&self.namespace, what);
    }

    /// Commits, and has Argo CD look at once rather than at its next round.
    pub(crate) async fn deliver(&self, message: &str, delivery: &Delivery) {
        let deliver = ["exec", "-i", "-n", SERVICES, "deployment/git", "--", "/deliver", &self.namespace, message];
        let commit = kubectl_with(&deliver, &delivery.archive()).await.unwrap_or_else(|error| panic!("{error}"));
        let commit = commit.trim();
        if self.look("application", "argocd", &self.namespace).await.is_err() {
            apply(&self.application()).await;
        }
        until("Argo CD has applied the commit", SOON, async || {
            let refresh = "argocd.argoproj.io/refresh=normal";
            kubectl(&["annotate", "--overwrite", "-n", "argocd", "application", &self.namespace, refresh]).await?;
            let application = self.look("application", "argocd", &self.namespace).await?;
            let operation = &application["status"]["operationState"];
            let synced = operation["syncResult"]["revision"] == commit && operation["phase"] == "Succeeded";
            if synced { Ok(()) } else { Err(format!("{operation}, {}", application["status"]["conditions"])) }
        })
        .await;
        self.tell(format_args!("git {}: {message}", commit.get(..7).unwrap_or(commit)));
    }

    /// The example's, for this repository and namespace, and with a CronJob a test can wait for.
    fn application(&self) -> Value {
        let text = std::fs::read_to_string(example().join("argocd/application.yaml")).unwrap();
        let mut application: Value = serde_saphyr::from_str(&text).unwrap();
        application["metadata"]["name"] = json!(self.namespace);
        let source = &mut application["spec"]["source"];
        source["repoURL"] = json!(format!("git://git.{SERVICES}.svc.cluster.local/{}.git", self.namespace));
        source["path"] = json!(".");
        let parameters = source["plugin"]["parameters"].as_array_mut().unwrap();
        parameters.push(json!({"name": "schedule", "string": "* * * * *"}));
        application["spec"]["destination"]["namespace"] = json!(self.namespace);
        application
    }

    async fn look(&self, kind: &str, namespace: &str, name: &str) -> Result<Value, String> {
        look(&["-n", namespace, kind, name]).await
    }

    /// The Rollout as it is now.
    pub(crate) async fn rollout(&self) -> Result<Value, String> {
        self.look("rollout", &self.namespace, ROLLOUT).await
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

    /// What a person does with the plugin of kubectl.
    pub(crate) async fn person(&self, command: &[&str]) {
        self.tell(format_args!("person: kubectl argo rollouts {}", command.join(" ")));
        let said = kubectl(&[&["argo", "rollouts", "-n", &self.namespace], command].concat()).await;
        said.unwrap_or_else(|error| panic!("{error}"));
    }

    /// How many pods of that version there are, whatever becomes of them.
    pub(crate) async fn pods_of(&self, version: &str) -> usize {
        let image = format!("registry.example.com/customers:{version}");
        let pods = look(&["-n", &self.namespace, "pods", "-l", "app.kubernetes.io/name=customers"]).await.unwrap();
        let pods = pods["items"].as_array().unwrap();
        pods.iter().filter(|pod| pod["spec"]["containers"][0]["image"] == image).count()
    }

    /// Waits until the change is at rest at that phase.
    pub(crate) async fn change_is(&self, phase: &str) {
        until(&format!("the change is {phase}"), SOON, async || {
            let found = self.ledger("SELECT phase || coalesce(' to ' || moving_to, '') FROM phasegate.changes").await?;
            if found == phase { Ok(()) } else { Err(found) }
        })
        .await;
        self.tell(format_args!("schema: split-full-name is {phase}"));
    }

    /// One value of this database, asked by its administrator.
    pub(crate) async fn ledger(&self, sql: &str) -> Result<String, String> {
        Ok(psql(&self.database, sql).await?.trim().to_owned())
    }

    /// The text of everything that runs of the plan in Git have said: of Jobs, and of those the CronJob made.
    pub(crate) async fn runs_said(&self) -> Result<String, String> {
        let plan = self.look("configmap", &self.namespace, "phasegate-customers").await?;
        let digest = plan["metadata"]["labels"]["phasegate.dev/plan-digest"].as_str().unwrap_or("").to_owned();
        let selector = format!("phasegate.dev/plan-digest={digest}");
        kubectl(&["logs", "-n", &self.namespace, "-l", &selector, "--tail=-1", "--prefix"]).await
    }

    /// Starts the users.
    pub(crate) async fn users_come(&self, rows: u32) {
        let to = format!("{ROLLOUT}.{}.svc.cluster.local:80", self.namespace);
        apply(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "users", "namespace": self.namespace},
            "spec": {
                "restartPolicy": "Never",
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "users", "image": "registry.example.com/customers:v1",
                    "args": ["load", "--to", to, "--rows", rows.to_string()],
                    "securityContext": {
                        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": true,
                    },
                }],
            },
        }))
        .await;
        until("the users have begun", SOON, async || {
            let figures = self.figures("figures").await?;
            if figures.writes > 20 { Ok(()) } else { Err(format!("{figures:?}")) }
        })
        .await;
    }

    /// What the users have seen so far, or with `account` in the end, after a look at every row.
    pub(crate) async fn figures(&self, page: &str) -> Result<Figures, String> {
        let path = format!("/api/v1/namespaces/{}/pods/users:9090/proxy/{page}", self.namespace);
        serde_json::from_str(&kubectl(&["get", "--raw", &path]).await?).map_err(|error| error.to_string())
    }

    /// Ends the load, and tells what came of it.
    pub(crate) async fn account(&self) -> Figures {
        let figures = self.figures("account").await.unwrap_or_else(|error| panic!("{error}"));
        let Figures { requests, writes, failed, lost, verified, served, why } = &figures;
        self.tell(format_args!(
            "requests={requests} writes={writes} failed={failed} lost={lost} verified={verified} served={served:?}"
        ));
        for line in why.iter().take(3) {
            self.tell(format_args!("users: {line}"));
        }
        figures
    }

    /// Ends the scenario: nothing failed, nothing is lost, and both versions had something to do.
    pub(crate) async fn users_are_content(&self, rows: u32) {
        let figures = self.account().await;
        let Figures { failed, lost, verified, served, why, .. } = &figures;
        assert_eq!((*failed, *lost), (0, 0), "{why:#?}");
        assert!(*verified >= u64::from(rows), "every row was looked at: {verified}");
        assert!(figures.served_by("v1") > 100 && figures.served_by("v2") > 100, "{served:?}");
    }

    /// Takes away what uses the machine; the namespace stays for a look.
    pub(crate) async fn close(&self) {
        let _ = kubectl(&["delete", "-n", "argocd", "application", &self.namespace, "--wait=false"]).await;
        let _ = kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]).await;
    }
}

async fn psql(database: &str, sql: &str) -> Result<String, String> {
    let psql = ["psql", "-h", "/tmp", "-U", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"];
    let exec = ["exec", "-i", "-n", SERVICES, "deployment/postgres", "--"];
    kubectl_with(&[&exec[..], &psql[..]].concat(), sql.as_bytes()).await
}
