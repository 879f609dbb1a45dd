//! Argo CD when a person syncs by hand: a part of a commit, and its rollback.

use serde_json::json;

use crate::{
    delivery::{CHANGE, Delivery},
    shop::Shop,
};

const ROWS: u32 = 2_000;

#[tokio::test]
async fn a_selective_sync_leaves_the_canary_held_and_a_rollback_past_a_contract_is_refused() {
    let first = Delivery::example("1-expand").without(CHANGE);
    let shop = Shop::serving("by-hand", ROWS, &first).await;
    let before = shop.application().await.unwrap()["status"]["operationState"]["syncResult"]["revision"].clone();
    shop.nothing_is_automated().await;
    let whole = |commit: &str| json!({"revision": commit, "prune": true});

    let commit = shop.commit("version 2", &Delivery::example("2-canary")).await;
    let only = json!([{"group": "argoproj.io", "kind": "Rollout", "name": "customers"}]);
    shop.person_syncs("of the Rollout only", json!({"revision": commit, "resources": only})).await;
    let held = shop.gate_says("holds version 2", |step| step.phase == "Running").await;
    shop.tell(format_args!("gate: {}", held.message));
    assert!(held.message.contains("split-full-name"), "it knows no such change yet: {held:?}");
    shop.users_go_on(100).await;
    assert_eq!(shop.pods_of("v2").await, 0);
    shop.person_syncs("of all of it", whole(&commit)).await;
    shop.rollout_is("Healthy").await;

    let contract = shop.commit("contract", &Delivery::example("3-contract")).await;
    shop.person_syncs("of the contract", whole(&contract)).await;
    shop.change_is("contracted").await;

    let rollback = json!({"revision": before, "prune": true, "syncStrategy": {"apply": {}}});
    shop.person_syncs("rollback to the first commit", rollback).await;
    let refused = shop.gate_says("refuses version 1", |step| step.phase == "Failed").await;
    shop.tell(format_args!("gate: {}", refused.message));
    assert!(refused.message.contains("contracted for good"), "{refused:?}");
    shop.rollout_is("Degraded").await;
    shop.users_go_on(100).await;
    assert_eq!(shop.pods_of("v1").await, 0, "nothing of version 1 came in");
    assert_eq!(shop.columns("customers").await, "first_name id last_name revision");

    shop.person_syncs("forward again", whole(&contract)).await;
    shop.rollout_is("Healthy").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
