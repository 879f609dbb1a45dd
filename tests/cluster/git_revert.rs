//! What a `git revert` does: before the contract it is a way back, after it nothing is.

use crate::{
    delivery::{CHANGE, Delivery},
    shop::Shop,
};

const ROWS: u32 = 5_000;

#[tokio::test]
async fn a_git_revert_before_the_contract_brings_the_old_version_back_and_then_the_old_schema() {
    let back = |delivery: Delivery| delivery.with(CHANGE, "target: migrated", "revertTo: pending");
    let shop = Shop::serving("revert", ROWS, &Delivery::example("1-expand")).await;
    shop.deliver("version 2", &Delivery::example("2-canary")).await;
    shop.rollout_is("Healthy").await;
    shop.served_by("v2", 50).await;

    shop.deliver("revert too much at once", &back(Delivery::example("2-canary"))).await;
    let said = shop.run_says("that version 2 needs the new shape", |line| line.contains("blocked by")).await;
    assert!(said.contains("needs migrated..contracted"), "{said}");

    shop.deliver("git revert: version 1", &Delivery::example("1-expand")).await;
    shop.gate_says("lets version 1 back in", |step| step.phase == "Successful").await;
    shop.rollout_is("Healthy").await;
    shop.change_is("migrated").await;

    shop.deliver("and its schema", &back(Delivery::example("1-expand"))).await;
    shop.change_is("pending").await;
    assert_eq!(shop.columns("customers").await, "full_name id revision");
    assert_eq!(shop.pods_of("v2").await, 0);
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

#[tokio::test]
async fn after_the_contract_a_git_revert_is_refused_and_the_new_version_serves_on() {
    let shop = Shop::serving("too-late", ROWS, &Delivery::example("1-expand")).await;
    shop.deliver("version 2", &Delivery::example("2-canary")).await;
    shop.rollout_is("Healthy").await;
    shop.deliver("contract", &Delivery::example("3-contract")).await;
    shop.change_is("contracted").await;

    shop.deliver("git revert of all of it", &Delivery::example("1-expand")).await;
    let refused = shop.gate_says("refuses version 1", |step| step.phase == "Failed").await;
    shop.tell(format_args!("gate: {}", refused.message));
    assert!(refused.message.contains("split-full-name is contracted"), "{refused:?}");
    shop.rollout_is("Degraded").await;
    assert_eq!(shop.pods_of("v1").await, 0, "nothing of version 1 came in");
    shop.users_go_on(100).await;
    shop.change_is("contracted").await;

    shop.deliver("the revert is reverted", &Delivery::example("3-contract")).await;
    shop.rollout_is("Healthy").await;
    assert_eq!(shop.columns("customers").await, "first_name id last_name revision");
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
