//! Doors beside the gate: what comes in through them is reported, and no schema leaves anybody behind.

use serde_json::{Value, json};

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::{kubectl, until},
    shop::{SOON, Shop},
};

const ROWS: u32 = 5_000;

/// Version 2 on a schema that is not ready for it.
fn too_early() -> Delivery {
    Delivery::example("2-canary").with(CHANGE, "target: migrated", "target: expanded")
}

async fn is_reported(shop: &Shop) {
    let said = shop.run_says("that version 2 came in by force", |line| line.contains("VIOLATION")).await;
    assert!(said.contains("split-full-name is expanded, and it needs migrated..contracted"), "{said}");
}

#[tokio::test]
async fn a_rollout_updated_before_its_first_version_was_healthy_is_held_like_any_other() {
    let never = |it: &mut Value| {
        it["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] = json!("/never");
    };
    let shop = Shop::open("unborn", ROWS).await;
    let first = Delivery::example("1-expand").with(CHANGE, "target: migrated", "target: expanded").edited(never);
    shop.deliver("version 1, which never gets ready", &first).await;
    until(
        "version 1 runs",
        SOON,
        async || {
            if shop.pods_of("v1").await > 0 { Ok(()) } else { Err("no pod yet".to_owned()) }
        },
    )
    .await;

    shop.deliver("version 2, and half of what it needs", &too_early()).await;
    let held = shop.gate_says("holds version 2", |step| step.message.contains("is expanded")).await;
    assert_eq!((held.phase.as_str(), shop.pods_of("v2").await), ("Running", 0));

    shop.deliver("the other half", &Delivery::example("2-canary")).await;
    shop.gate_says("lets version 2 in", |step| step.phase == "Successful").await;
    shop.rollout_is("Healthy").await;
    shop.no_pods_of("v1").await;
    shop.close().await;
}

#[tokio::test]
async fn when_the_stable_replicaset_is_deleted_by_hand_what_comes_in_is_reported_and_the_schema_follows() {
    let shop = Shop::open("orphan", ROWS).await;
    shop.deliver("version 1", &Delivery::example("1-expand").without(CHANGE)).await;
    let stable = shop.rollout_is("Healthy").await["status"]["stableRS"].as_str().unwrap().to_owned();
    shop.deliver("version 2, and half of what it needs", &too_early()).await;
    shop.gate_says("holds version 2", |step| step.message.contains("is expanded")).await;

    kubectl(&["delete", "replicaset", "-n", &shop.namespace, &format!("customers-{stable}")]).await.unwrap();
    until("version 2 runs, or version 1 once more", SOON, async || {
        let (old, new) = (shop.pods_of("v1").await, shop.pods_of("v2").await);
        if new > 0 { Ok(()) } else { Err(format!("{old} pods of version 1, {new} of version 2")) }
    })
    .await;
    is_reported(&shop).await;

    shop.deliver("the other half", &Delivery::example("2-canary")).await;
    shop.change_is("migrated").await;
    shop.rollout_is("Healthy").await;
    shop.close().await;
}

/// A Rollout of two colours: the new one runs beside the old one before anybody uses it.
fn blue_green(delivery: Delivery) -> Delivery {
    delivery.edited(|rollout| {
        rollout["spec"]["strategy"] = json!({"blueGreen": {
            "activeService": "customers", "autoPromotionEnabled": false, "scaleDownDelaySeconds": 10,
        }});
    })
}

#[tokio::test]
async fn a_blue_green_preview_asks_no_gate_and_is_reported_and_the_colour_in_use_blocks_the_contract() {
    let first = Delivery::example("1-expand").with(CHANGE, "target: migrated", "target: expanded");
    let shop = Shop::serving("blue-green", ROWS, &blue_green(first)).await;
    shop.change_is("expanded").await;

    shop.deliver("version 2 as a preview, and half of what it needs", &blue_green(too_early())).await;
    shop.rollout_is("Paused").await;
    is_reported(&shop).await;
    shop.deliver("the other half", &blue_green(Delivery::example("2-canary"))).await;
    shop.change_is("migrated").await;

    shop.deliver("contract, too early", &blue_green(Delivery::example("3-contract"))).await;
    let said = shop.run_says("what blocks it", |line| line.contains("blocked by")).await;
    assert!(said.contains("needs pending..migrated"), "{said}");
    shop.change_is("migrated").await;

    shop.person(&["promote", "customers"]).await;
    shop.rollout_is("Healthy").await;
    shop.change_is("contracted").await;
    assert_eq!(shop.pods_of("v1").await, 0, "contracted while a pod of version 1 was there");
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
