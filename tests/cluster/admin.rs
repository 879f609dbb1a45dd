//! What an administrator does: with the database, with Jobs, and with an Application that is no longer automated.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::{
    kubectl::{kubectl, until},
    shop::{SERVICES, SOON, Shop},
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
        // As one that was there before the triggers: a backfill has something to do with it.
        let insert = format!(
            "SET session_replication_role = replica; \
             INSERT INTO customers (id, full_name, revision) VALUES ({LAST}, 'Last Row', 0)"
        );
        self.ledger(&insert).await.unwrap();
        let mut child = tokio::process::Command::new("kubectl")
            .args(["exec", "-i", "-n", SERVICES, "deployment/postgres", "--"])
            .args(["psql", "-h", "/tmp", "-U", "postgres", "-qAtX", "-d", &self.database, "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let write = format!("BEGIN; UPDATE customers SET revision = 0 WHERE id = {LAST} /* {SOMEBODY} */;\n");
        child.stdin.as_mut().unwrap().write_all(write.as_bytes()).await.unwrap();
        let held = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND state = 'idle in transaction' AND query LIKE '%{SOMEBODY} *%'"
        );
        until("somebody writes the last row", SOON, async || {
            let count = self.ledger(&held).await?;
            if count == "1" { Ok(()) } else { Err(count) }
        })
        .await;
        Somebody(child)
    }

    /// Ends that transaction.
    pub(crate) async fn somebody_is_done(&self, mut somebody: Somebody) {
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid() AND query LIKE '%{SOMEBODY} *%'"
        );
        self.ledger(&end).await.unwrap();
        let _ = somebody.0.kill().await;
    }

    /// Takes the last row away again.
    pub(crate) async fn the_last_row_goes(&self) {
        self.ledger(&format!("DELETE FROM customers WHERE id = {LAST}")).await.unwrap();
    }

    /// Waits until the backfill has done some rows, and not all.
    pub(crate) async fn is_in_mid_backfill(&self) {
        until("the backfill is under way", SOON, async || {
            let rows = "SELECT rows_done FROM phasegate.backfills WHERE rows_done BETWEEN 1 AND rows_total - 1";
            let done = self.ledger(rows).await?;
            if done.is_empty() { Err("no row is done, or all are".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    /// Waits until one change of several is at rest at that phase.
    pub(crate) async fn that_change_is(&self, name: &str, phase: &str) {
        let sql =
            format!("SELECT phase || coalesce(' to ' || moving_to, '') FROM phasegate.changes WHERE name = '{name}'");
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
