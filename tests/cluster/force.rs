//! A version that a person lets in past the gate.

use crate::{
    delivery::{CHANGE, Delivery},
    shop::Shop,
};

const ROWS: u32 = 5_000;

#[tokio::test]
async fn a_canary_promoted_by_force_is_reported_and_the_schema_still_moves_towards_it() {
    let shop = Shop::open("force", ROWS).await;
    let halfway = Delivery::example("2-canary").with(CHANGE, "target: migrated", "target: expanded");
    shop.deliver("version 1", &Delivery::example("1-expand").without(CHANGE)).await;
    shop.rollout_is("Healthy").await;

    shop.deliver("version 2, and half of what it needs", &halfway).await;
    shop.gate_says("holds version 2", |step| step.message.contains("is expanded")).await;
    let said = shop.runs_said().await.unwrap();
    assert!(!said.contains("VIOLATION"), "a version that is held runs nowhere: {said}");

    shop.person(&["promote", "customers", "--full"]).await;
    shop.rollout_is("Healthy").await;
    assert!(shop.pods_of("v2").await > 0, "the gate cannot keep out whom a person lets in");
    let violation = shop.run_says("that version 2 came in by force", |line| line.contains("VIOLATION")).await;
    assert!(violation.contains("split-full-name is expanded, and it needs migrated..contracted"), "{violation}");

    shop.deliver("the other half", &Delivery::example("2-canary")).await;
    shop.change_is("migrated").await;
    shop.close().await;
}
