//! Taking the old column away.

use crate::{delivery::Delivery, shop::Shop};

const ROWS: u32 = 5_000;

#[tokio::test]
async fn a_contract_committed_too_early_waits_for_the_last_old_pod_and_for_a_session_that_nobody_declared() {
    let shop = Shop::open("contract", ROWS).await;
    shop.deliver("version 1", &Delivery::example("1-expand").with_a_pause()).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;
    shop.change_is("migrated").await;

    shop.deliver("version 2", &Delivery::example("2-canary").with_a_pause()).await;
    shop.rollout_is("Paused").await;
    assert!(shop.pods_of("v1").await > 0 && shop.pods_of("v2").await > 0, "both versions serve");

    shop.deliver("contract, too early", &Delivery::example("3-contract").with_a_pause()).await;
    let said = shop.run_says("what blocks it", |line| line.contains("blocked by")).await;
    assert!(said.contains("ReplicaSet customers-") && said.contains("needs pending..migrated"), "it says who: {said}");
    shop.change_is("migrated").await;

    let stranger = shop.stranger("reports").await;
    shop.person(&["promote", "customers"]).await;
    shop.rollout_is("Healthy").await;
    shop.no_pods_of("v1").await;
    let said =
        shop.run_says("that a stranger blocks it", |line| line.contains("blocked by 1 database session of")).await;
    assert!(said.contains(&stranger) && said.contains("spec.apps.users"), "it says who, and the remedy: {said}");
    shop.change_is("migrated").await;

    shop.strangers_leave(&stranger).await;
    shop.change_is("contracted").await;
    assert_eq!(shop.pods_of("v1").await, 0, "contracted while a pod of version 1 was there");
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
