//! Argo CD puts back what a person changes, and takes away what Git no longer has. The ledger stays through all of it.

use serde_json::json;

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{SOON, Shop},
};

const ROWS: u32 = 2_000;

#[tokio::test]
async fn what_a_person_deletes_comes_back_and_what_git_drops_goes_and_the_ledger_outlives_the_application() {
    let version_1 = Delivery::example("1-expand");
    let shop = Shop::serving("hands-off", ROWS, &version_1).await;
    shop.change_is("migrated").await;
    let job = shop.job_is("Complete").await;
    let name = job["metadata"]["name"].as_str().unwrap();
    let plan = shop.look("configmap", "phasegate-customers").await.unwrap();

    // Self-heal.
    shop.kubectl(&["delete", "configmap", "phasegate-customers"]).await;
    shop.kubectl(&["delete", "job", name]).await;
    shop.kubectl(&["patch", "cronjob", "phasegate-customers", "-p", r#"{"spec":{"schedule":"0 0 1 1 *"}}"#]).await;
    until("all of it is as Git has it", SOON, async || {
        let (job, cron) = (shop.job().await?, shop.look("cronjob", "phasegate-customers").await?);
        let found = shop.look("configmap", "phasegate-customers").await?;
        let same = found["data"] == plan["data"] && cron["spec"]["schedule"] == "* * * * *";
        if same { Ok(()) } else { Err(format!("{found}, {cron}, {job}")) }
    })
    .await;
    let again = shop.job_is("Complete").await;
    assert_ne!(again["metadata"]["uid"], job["metadata"]["uid"]);
    shop.change_is("migrated").await;

    // Prune.
    shop.deliver("another plan", &version_1.clone().with(CHANGE, "target: migrated", "revertTo: pending")).await;
    shop.is_gone("job", name).await;
    shop.change_is("pending").await;
    shop.deliver("and back", &version_1).await;
    shop.change_is("migrated").await;

    // The Application goes with everything it made, but for what the users wrote.
    shop.nothing_failed(ROWS).await;
    let finalizer = json!({"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}});
    shop.application_is_changed(&finalizer).await;
    crate::kubectl::kubectl(&["delete", "-n", "argocd", "application", &shop.namespace]).await.unwrap();
    for (kind, name) in [
        ("rollout", "customers"),
        ("configmap", "phasegate-customers"),
        ("cronjob", "phasegate-customers"),
        ("job", name),
    ] {
        shop.is_gone(kind, name).await;
    }
    shop.change_is("migrated").await;
    assert!(shop.ledger("SELECT count(*) FROM customers").await.unwrap().parse::<u32>().unwrap() >= ROWS);
    shop.close().await;
}
