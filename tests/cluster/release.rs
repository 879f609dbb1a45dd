//! A column is split under a canary, in three deliveries.

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{SOON, Shop},
};

const ROWS: u32 = 300_000;

#[tokio::test]
async fn a_canary_is_held_until_its_schema_is_ready_then_released_and_the_old_column_goes_by_commit() {
    let shop = Shop::open("release", ROWS).await;
    shop.deliver("version 1", &Delivery::example("1-expand").without(CHANGE)).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;

    shop.deliver("expand", &Delivery::example("1-expand").with(CHANGE, "target: migrated", "target: expanded")).await;
    shop.change_is("expanded").await;

    shop.deliver("version 2", &Delivery::example("2-canary")).await;
    let held = shop.gate_says("holds version 2", |step| step.phase == "Running").await;
    shop.tell(format_args!("gate: {}", held.message));
    assert!(held.message.contains("split-full-name is ") && held.message.contains("v2 needs migrated"), "{held:?}");
    assert_eq!(shop.pods_of("v2").await, 0, "no pod of version 2 before it is let in");
    what_a_person_sees(&shop).await;

    let released = shop.gate_says("lets version 2 in", |step| step.phase == "Successful").await;
    shop.tell(format_args!("gate: {}", released.message));
    shop.change_is("migrated").await;
    shop.line.note(format!("schema ready to canary released: {} s", waited(&shop).await));
    shop.rollout_is("Healthy").await;

    shop.deliver("contract", &Delivery::example("3-contract")).await;
    shop.change_is("contracted").await;
    assert_eq!(shop.columns("customers").await, "first_name id last_name revision");
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

/// While the canary is held.
async fn what_a_person_sees(shop: &Shop) {
    let shown = shop.person(&["get", "rollout", "customers", "--no-color"]).await;
    for wanted in
        ["Status:          ◌ Progressing", "Strategy:        Canary", "SetWeight:     0", "customers:v1 (stable)"]
    {
        assert!(shown.contains(wanted), "{shown}");
    }
    assert!(shown.contains("Step:          0/6") && !shown.contains("customers:v2 (canary)"), "{shown}");
    let steps = shop.rollout().await.unwrap()["status"]["canary"]["stepPluginStatuses"].to_string();
    assert!(steps.contains("needs migrated"), "kubectl shows no step's message, the Rollout's status has it: {steps}");
    let application = shop.application().await.unwrap();
    assert_eq!(application["status"]["health"]["status"], "Progressing", "{application}");
    // The Job of the plan before is pruned, and is in the way until it is gone.
    until("the Application is Synced", SOON, async || {
        let application = shop.application().await?;
        let sync = &application["status"]["sync"]["status"];
        if sync == "Synced" { Ok(()) } else { Err(application["status"]["resources"].to_string()) }
    })
    .await;
}

/// From the ledger's line to Argo's, by the two clocks of one machine.
async fn waited(shop: &Shop) -> String {
    let rollout = shop.rollout().await.unwrap();
    let steps = rollout["status"]["canary"]["stepPluginStatuses"].as_array().unwrap();
    let finished = steps[0]["finishedAt"].as_str().unwrap();
    let sql = format!(
        "SELECT round(extract(epoch FROM '{finished}'::timestamptz - max(at))) FROM phasegate.history WHERE event = 'settle'"
    );
    shop.ledger(&sql).await.unwrap()
}
