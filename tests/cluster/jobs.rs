//! The Job of a plan, while newer plans come and older ones come back.

use serde_json::{Value, json};

use crate::{
    admin::has,
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{SOON, Shop},
};

const ROWS: u32 = 5_000;

const ANOTHER: &str = "\
apiVersion: phasegate.dev/v1alpha1
kind: SchemaChange
metadata: {name: add-note}
spec:
  database: customers
  target: expanded
  addColumn: {table: customers, column: note, type: text}
";

#[tokio::test]
async fn a_hotfix_passes_a_backfill_and_a_newer_plan_takes_it_over_from_the_job_it_prunes() {
    let version_1 = Delivery::example("1-expand");
    let synced = version_1.clone().with(CHANGE, "target: migrated", "target: synced");
    let shop = Shop::serving("jobs", ROWS, &synced).await;
    shop.change_is("synced").await;
    let somebody = shop.somebody_writes_the_last_row().await;
    shop.deliver("fill the new columns", &version_1).await;
    shop.is_in_mid_backfill().await;
    let old = shop.job().await.unwrap();
    let old_plan = plan_of(&shop, &old).await;

    let hotfix = version_1.environment("HOTFIX", "1");
    shop.deliver("a hotfix", &hotfix).await;
    let rollout = shop.rollout_is("Healthy").await;
    assert_eq!(rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"], "2", "it is a revision of its own");
    shop.is_in_mid_backfill().await;
    assert_eq!(shop.job().await.unwrap()["metadata"]["uid"], old["metadata"]["uid"], "the same Job goes on");

    shop.deliver("a newer plan", &hotfix.and("changes/0002-add-note.yaml", ANOTHER)).await;
    shop.is_gone("job", name(&old)).await;
    shop.tell(format_args!("{} was pruned in mid-backfill", name(&old)));
    shop.somebody_is_done(somebody).await;
    shop.that_change_is("split-full-name", "migrated").await;
    shop.that_change_is("add-note", "expanded").await;
    shop.job_is("Complete").await;

    let said = comes_late(&shop, &old, &old_plan).await;
    shop.tell(format_args!("late pod: {}", said.lines().last().unwrap_or("")));
    assert!(said.contains("superseded"), "{said}");
    let takeovers = "SELECT count(*) FROM phasegate.history WHERE event = 'take-over' AND detail LIKE '%late%'";
    assert_eq!(shop.ledger(takeovers).await.unwrap(), "0", "it did not even take the lock");
    shop.the_last_row_goes().await;
    shop.nothing_failed(ROWS).await;
    shop.close().await;
}

/// A pod of the old Job that was under way when all of it was pruned: its plan was mounted already.
async fn comes_late(shop: &Shop, old: &Value, plan: &[Value]) -> String {
    for part in plan {
        shop.api.apply(part).await;
    }
    let template = &old["spec"]["template"];
    shop.api
        .apply(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "late", "namespace": shop.namespace}, "spec": template["spec"],
        }))
        .await;
    until("the late pod has ended", SOON, async || {
        let pod = shop.look("pod", "late").await?;
        let phase = pod["status"]["phase"].as_str().unwrap_or("");
        if phase == "Succeeded" { Ok(()) } else { Err(format!("{phase}: {}", pod["status"])) }
    })
    .await;
    shop.api.logs(&shop.namespace, "late", None).await.unwrap()
}

/// The ConfigMaps that a Job's pods mount, without what marks them as Argo CD's.
async fn plan_of(shop: &Shop, job: &Value) -> Vec<Value> {
    let volumes = job["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let sources = volumes.iter().find(|volume| volume["name"] == "plan").unwrap()["projected"]["sources"].clone();
    let mut parts = Vec::new();
    for source in sources.as_array().unwrap() {
        let name = source["configMap"]["name"].as_str().unwrap();
        let found = shop.look("configmap", name).await.unwrap();
        parts.push(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": shop.namespace}, "data": found["data"],
        }));
    }
    parts
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

#[tokio::test]
async fn a_plan_that_comes_back_is_worked_on_whether_argo_cd_pruned_its_job_or_not() {
    let there = Delivery::example("1-expand");
    let back = there.clone().with(CHANGE, "target: migrated", "revertTo: pending");
    let shop = Shop::serving("again", ROWS, &there).await;
    shop.change_is("migrated").await;
    let first = shop.job_is("Complete").await;

    shop.deliver("back", &back).await;
    shop.change_is("pending").await;
    shop.deliver("there again", &there).await;
    shop.change_is("migrated").await;
    let again = shop.job_is("Complete").await;
    assert_eq!(name(&again), name(&first), "the same plan");
    assert_ne!(
        again["metadata"]["uid"], first["metadata"]["uid"],
        "and a Job that was made anew, as it had been pruned"
    );

    shop.application_is_changed(&json!({"spec": {"syncPolicy": {"automated": {"prune": false}}}})).await;
    shop.deliver("back, and nothing is pruned", &back).await;
    shop.change_is("pending").await;
    shop.deliver("there once more", &there).await;
    shop.change_is("migrated").await;
    let kept = shop.job_is("Complete").await;
    for field in ["uid", "creationTimestamp"] {
        assert_eq!(kept["metadata"][field], again["metadata"][field], "Argo CD had nothing to do: it was the CronJob");
    }
    assert_eq!(kept["status"]["completionTime"], again["status"]["completionTime"]);
    shop.nothing_failed(ROWS).await;
    shop.close().await;
}

#[tokio::test]
async fn a_job_that_failed_for_good_is_finished_by_the_cronjob_when_the_rows_are_mended() {
    let version_1 = Delivery::example("1-expand");
    let synced = version_1.clone().with(CHANGE, "target: migrated", "target: synced");
    let shop = Shop::serving("failed", ROWS, &synced).await;
    shop.change_is("synced").await;
    // As a tool would that switches triggers off. The users know no row below 1.
    let behind = |sql: &str| format!("SET session_replication_role = replica; {sql}");
    let write = "INSERT INTO customers (id, full_name, revision, first_name, last_name) VALUES (-1, 'Ada Byron', 0, 'Ada', 'King')";
    shop.ledger(&behind(write)).await.unwrap();

    shop.deliver("fill the new columns", &version_1).await;
    let failed = shop.job_is("Failed").await;
    let said = shop.run_says("that rows disagree", |line| line.contains("disagree")).await;
    assert!(said.contains('1'), "it counts them: {said}");
    shop.application_is("Degraded").await;
    let row = "SELECT full_name || '/' || first_name || '/' || last_name FROM customers WHERE id = -1";
    assert_eq!(shop.ledger(row).await.unwrap(), "Ada Byron/Ada/King", "nothing is overwritten");

    shop.ledger(&behind("UPDATE customers SET last_name = 'Byron' WHERE id = -1")).await.unwrap();
    shop.change_is("migrated").await;
    let left = shop.job().await.unwrap();
    assert!(has(&left, "Failed") && left["metadata"]["uid"] == failed["metadata"]["uid"], "it was the CronJob");

    shop.kubectl(&["delete", "job", name(&failed)]).await;
    shop.job_is("Complete").await;
    shop.application_is("Healthy").await;
    shop.nothing_failed(ROWS).await;
    shop.close().await;
}
