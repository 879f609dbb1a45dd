//! `kubectl argo rollouts undo`, and Argo's way around the gate for a version that served a moment ago.

use serde_json::json;

use crate::{delivery::Delivery, shop::Shop};

const ROWS: u32 = 5_000;

/// Argo CD would undo what a person undoes.
async fn without_self_heal(shop: &Shop) {
    let patch = json!({"spec": {"syncPolicy": {"automated": {"selfHeal": false}}}});
    shop.api.patch("application", "argocd", &shop.namespace, &patch).await.unwrap();
}

#[tokio::test]
async fn an_undo_passes_the_gate_like_any_version_before_the_contract_and_is_refused_after_it() {
    let shop = Shop::serving("undo", ROWS, &Delivery::example("1-expand")).await;
    without_self_heal(&shop).await;
    shop.deliver("version 2", &Delivery::example("2-canary")).await;
    shop.rollout_is("Healthy").await;
    shop.served_by("v2", 50).await;

    shop.person(&["undo", "customers"]).await;
    shop.gate_says("lets version 1 back in", |step| step.phase == "Successful").await;
    shop.rollout_is("Healthy").await;
    assert!(shop.pods_of("v1").await > 0, "version 1 serves");
    shop.person(&["undo", "customers"]).await;
    shop.rollout_is("Healthy").await;

    shop.deliver("contract", &Delivery::example("3-contract")).await;
    shop.change_is("contracted").await;
    assert_eq!(shop.pods_of("v1").await, 0, "contracted while a pod of version 1 was there");

    shop.person(&["undo", "customers"]).await;
    let refused = shop.gate_says("refuses version 1", |step| step.phase == "Failed").await;
    shop.tell(format_args!("gate: {}", refused.message));
    shop.rollout_is("Degraded").await;
    assert_eq!(shop.pods_of("v1").await, 0, "nothing of version 1 came in");
    shop.users_go_on(100).await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

#[tokio::test]
async fn a_version_inside_the_rollback_window_skips_the_steps_and_blocks_the_contract() {
    let window = |delivery: Delivery| delivery.edited(|it| it["spec"]["rollbackWindow"] = json!({"revisions": 1}));
    let shop = Shop::serving("window", ROWS, &window(Delivery::example("1-expand"))).await;
    without_self_heal(&shop).await;
    shop.deliver("version 2", &window(Delivery::example("2-canary"))).await;
    shop.rollout_is("Healthy").await;
    shop.served_by("v2", 50).await;

    shop.deliver("contract", &window(Delivery::example("3-contract"))).await;
    let said = shop.run_says("that version 1 may come back", |line| line.contains("blocked by")).await;
    assert!(said.contains("ReplicaSet customers-"), "it says who: {said}");
    shop.no_pods_of("v1").await;

    shop.person(&["undo", "customers"]).await;
    let back = shop.rollout_is("Healthy").await;
    assert!(shop.pods_of("v1").await > 0, "version 1 serves");
    // Argo may ask the first gate before it finds that it need not; the second it skips with all other steps.
    let asked = back["status"]["canary"]["stepPluginStatuses"].as_array().map_or(0, Vec::len);
    assert!(asked <= 1, "the steps are skipped: {back}");
    shop.change_is("migrated").await;

    // A revision later version 1 is out of the window.
    shop.deliver("version 2.1", &window(Delivery::example("3-contract")).environment("AGAIN", "1")).await;
    shop.rollout_is("Healthy").await;
    shop.deliver("version 2.2", &window(Delivery::example("3-contract")).environment("AGAIN", "2")).await;
    shop.rollout_is("Healthy").await;
    shop.change_is("contracted").await;
    assert_eq!(shop.pods_of("v1").await, 0, "contracted while a pod of version 1 was there");
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
