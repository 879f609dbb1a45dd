//! What an administrator does: with the database, with Jobs, and with an Application that is no longer automated.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::{
    database::Server,
    kubectl::{kubectl, until},
    shop::{PHASE, SERVICES, SOON, Shop},
};

/// The key of a row that the users never see in time: beyond all they make, and gone before they look at every row.
pub(crate) const LAST: &str = "1000000000000";
/// How the session that writes it is told from others.
const SOMEBODY: &str = "somebody writes";

/// Somebody's open transaction.
pub(crate) struct Somebody(tokio::process::Child);

impl Shop {
    /// Adds a last row, and somebody who writes it in a transaction that stays open: a backfill comes so far and no
    /// further. Users meet neither.
    pub(crate) async fn somebody_writes_the_last_row(&self) -> Somebody {
        self.the_last_row_comes().await;
        self.somebody_writes().await
    }

    /// Adds a last row that a backfill has something to do with, as one that was there before the triggers. On MariaDB no
    /// session passes triggers by: there it must come before them.
    pub(crate) async fn the_last_row_comes(&self) {
        let past_triggers = match self.app.server {
            Server::Postgres => "SET session_replication_role = replica;",
            Server::Mariadb => "",
        };
        let insert = format!("INSERT INTO customers (id, full_name, revision) VALUES ({LAST}, 'Last Row', 0)");
        self.ledger(&format!("{past_triggers} {insert}")).await.unwrap();
    }

    /// Somebody writes the last row, in a transaction that stays open.
    pub(crate) async fn somebody_writes(&self) -> Somebody {
        let mut child = tokio::process::Command::new("kubectl")
            .args(["exec", "-i", "-n", SERVICES])
            .args(self.app.server.client(&self.database))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let isolation = match self.app.server {
            Server::Postgres => "",
            // Else InnoDB makes a gap lock of it when the page splits, and all who insert wait for this session.
            Server::Mariadb => "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;",
        };
        let write =
            format!("{isolation} BEGIN; UPDATE customers SET revision = 0 WHERE id = {LAST} /* {SOMEBODY} */;\n");
        child.stdin.as_mut().unwrap().write_all(write.as_bytes()).await.unwrap();
        until("somebody writes the last row", SOON, async || match self.sessions_of_somebody().await?.as_slice() {
            [_] => Ok(()),
            other => Err(other.join(" ")),
        })
        .await;
        Somebody(child)
    }

    /// Those that hold the last row.
    async fn sessions_of_somebody(&self) -> Result<Vec<String>, String> {
        let sql = match self.app.server {
            Server::Postgres => format!(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                 AND state = 'idle in transaction' AND query LIKE '%{SOMEBODY} *%'"
            ),
            // Nobody else comes as root, and an idle session shows no statement there.
            Server::Mariadb => "SELECT p.id FROM information_schema.innodb_trx t \
                                JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id \
                                WHERE p.db = DATABASE() AND p.user = 'root' AND p.command = 'Sleep' \
                                AND t.trx_rows_locked > 0"
                .to_owned(),
        };
        Ok(self.ledger(&sql).await?.lines().map(str::to_owned).collect())
    }

    /// Ends that transaction.
    pub(crate) async fn somebody_is_done(&self, mut somebody: Somebody) {
        // The server may be on its way up again.
        until("nobody holds the last row", SOON, async || {
            let sessions = self.sessions_of_somebody().await?;
            for session in &sessions {
                self.ends(session).await?;
            }
            if sessions.is_empty() { Ok(()) } else { Err(format!("{} hold it", sessions.len())) }
        })
        .await;
        let _ = somebody.0.kill().await;
    }

    /// Takes the last row away again.
    pub(crate) async fn the_last_row_goes(&self) {
        let sql = format!("DELETE FROM customers WHERE id = {LAST}");
        until("the last row is gone", SOON, async || self.ledger(&sql).await).await;
    }

    /// Waits until the backfill has done some rows, and not all: somebody holds the last one. How many there are is an
    /// estimate, which may be less than those that are done.
    pub(crate) async fn is_in_mid_backfill(&self) {
        until("the backfill is under way", SOON, async || {
            let ledger = self.app.server.ledger();
            let rows = format!(
                "SELECT rows_done FROM {ledger}backfills WHERE rows_done > 0 \
                 AND EXISTS (SELECT 1 FROM {ledger}changes WHERE moving_to = 'migrated')"
            );
            let done = self.ledger(&rows).await?;
            if done.is_empty() { Err("no row is done, or nothing moves".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    /// Ends every pod of the runner without a chance to say goodbye; which there were.
    pub(crate) async fn runners_die(&self) -> String {
        self.pods_die(&self.namespace, &format!("phasegate.dev/database={}", self.app.name)).await
    }

    /// Likewise, any pods.
    pub(crate) async fn pods_die(&self, namespace: &str, labels: &str) -> String {
        let running = self.running(namespace, labels).await;
        for pod in &running {
            let delete = ["delete", "pod", "-n", namespace, pod, "--force", "--grace-period=0", "--ignore-not-found"];
            kubectl(&delete).await.unwrap_or_else(|error| panic!("{error}"));
        }
        if running.is_empty() { "none was running".to_owned() } else { running.join(" ") }
    }

    /// The names of those that run.
    pub(crate) async fn running(&self, namespace: &str, labels: &str) -> Vec<String> {
        let pods = until("the API lists pods", SOON, async || self.api.list("pod", namespace, labels).await).await;
        let is_running =
            |pod: &&Value| pod["status"]["phase"] == "Running" && pod["metadata"].get("deletionTimestamp").is_none();
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
        pods.iter().filter(is_running).map(name).collect()
    }

    /// Waits until one change of several is at rest at that phase.
    pub(crate) async fn that_change_is(&self, name: &str, phase: &str) {
        let sql = format!("SELECT {PHASE} FROM {}changes WHERE name = '{name}'", self.app.server.ledger());
        until(&format!("{name} is {phase}"), SOON, async || {
            let found = self.ledger(&sql).await?;
            if found == phase { Ok(()) } else { Err(found) }
        })
        .await;
        self.tell(format_args!("schema: {name} is {phase}"));
    }

    /// The Job that Argo CD applied of the plan in Git; those of the CronJob have an owner.
    pub(crate) async fn job(&self) -> Result<Value, String> {
        let plan = self.look("configmap", &format!("phasegate-{}", self.app.name)).await?;
        let digest = plan["metadata"]["labels"]["phasegate.dev/plan-digest"].as_str().unwrap_or("").to_owned();
        let jobs = self.api.list("job", &self.namespace, &format!("phasegate.dev/plan-digest={digest}")).await?;
        let mut applied = jobs.into_iter().filter(|job| job["metadata"].get("ownerReferences").is_none());
        applied.next().ok_or_else(|| format!("there is no Job of plan {digest}"))
    }

    /// Waits until that Job has a condition: `Complete`, or `Failed`.
    pub(crate) async fn job_is(&self, condition: &str) -> Value {
        until(&format!("the Job is {condition}"), SOON, async || {
            let job = self.job().await?;
            if has(&job, condition) { Ok(job) } else { Err(job["status"].to_string()) }
        })
        .await
    }

    /// What the newest run of the plan in Git has said so far.
    pub(crate) async fn newest_run_said(&self) -> Result<String, String> {
        let plan = self.look("configmap", &format!("phasegate-{}", self.app.name)).await?;
        let digest = plan["metadata"]["labels"]["phasegate.dev/plan-digest"].as_str().unwrap_or("").to_owned();
        let pods = self.api.list("pod", &self.namespace, &format!("phasegate.dev/plan-digest={digest}")).await?;
        let began = |pod: &&Value| pod["metadata"]["creationTimestamp"].as_str().unwrap_or("").to_owned();
        let newest = pods.iter().max_by_key(began).ok_or("there was no run")?;
        self.api.logs(&self.namespace, newest["metadata"]["name"].as_str().unwrap_or(""), None).await
    }

    /// Waits until an object of this namespace is not there any more.
    pub(crate) async fn is_gone(&self, kind: &str, name: &str) {
        until(&format!("{kind} {name} is gone"), SOON, async || match self.look(kind, name).await {
            Ok(found) => Err(found["metadata"].to_string()),
            Err(why) if why.contains("not found") => Ok(()),
            Err(why) => Err(why),
        })
        .await;
    }

    /// What a person does with kubectl in this namespace.
    pub(crate) async fn kubectl(&self, command: &[&str]) -> String {
        self.tell(format_args!("person: kubectl {}", command.join(" ")));
        kubectl(&[&["-n", &self.namespace], command].concat()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Changes the Application.
    pub(crate) async fn application_is_changed(&self, patch: &Value) {
        self.api.patch("application", "argocd", &self.namespace, patch).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// From now on Argo CD syncs only when a person says so.
    pub(crate) async fn nothing_is_automated(&self) {
        self.application_is_changed(&json!({"spec": {"syncPolicy": {"automated": null}}})).await;
    }

    /// A sync that a person asks for, to its end.
    pub(crate) async fn person_syncs(&self, what: &str, sync: Value) {
        self.tell(format_args!("person: argocd app sync, {what}"));
        let before = self.application().await.unwrap()["status"]["operationState"]["startedAt"].clone();
        let operation = json!({"operation": {"initiatedBy": {"username": "person"}, "sync": sync}});
        self.application_is_changed(&operation).await;
        until("the sync has ended", SOON, async || {
            let application = self.application().await?;
            let state = &application["status"]["operationState"];
            let ended = state["phase"] == "Succeeded" && state["startedAt"] != before;
            if ended && application.get("operation").is_none() { Ok(()) } else { Err(state.to_string()) }
        })
        .await;
    }

    /// The health that Argo CD tells of one object of the Application: status, and message.
    pub(crate) async fn health_of(&self, kind: &str) -> Result<(String, String), String> {
        let application = self.application().await?;
        let resources = application["status"]["resources"].as_array().cloned().unwrap_or_default();
        let health = resources.iter().find(|it| it["kind"] == kind).map(|it| it["health"].clone());
        let health = health.ok_or_else(|| format!("the Application has no {kind}"))?;
        let text = |key: &str| health[key].as_str().unwrap_or("").to_owned();
        Ok((text("status"), text("message")))
    }

    /// Waits until the Application is of that health, as Argo CD tells it.
    pub(crate) async fn application_is(&self, status: &str) {
        until(&format!("the Application is {status}"), SOON, async || {
            let application = self.application().await?;
            let health = &application["status"]["health"]["status"];
            if health == status { Ok(()) } else { Err(health.to_string()) }
        })
        .await;
    }
}

/// Whether a Job or a pod has that condition.
pub(crate) fn has(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    conditions.iter().any(|it| it["type"] == condition && it["status"] == "True")
}
