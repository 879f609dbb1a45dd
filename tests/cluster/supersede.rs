//! A newer revision while a canary is held. Argo tells the gate nothing about the one it drops.

use crate::{
    delivery::{CHANGE, Delivery},
    shop::Shop,
};

const ROWS: u32 = 5_000;

#[tokio::test]
async fn a_new_revision_in_mid_hold_is_held_like_the_one_before_and_let_in_when_its_schema_is_ready() {
    let shop = Shop::open("supersede", ROWS).await;
    let newer = |delivery: Delivery| delivery.environment("AGAIN", "1");
    let halfway = Delivery::example("2-canary").with(CHANGE, "target: migrated", "target: expanded");
    shop.deliver("version 1", &Delivery::example("1-expand").without(CHANGE)).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;

    shop.deliver("version 2, and half of what it needs", &halfway).await;
    shop.gate_says("holds version 2", |step| step.message.contains("is expanded")).await;
    let before = canary(&shop).await;

    shop.deliver("version 2 once more, another revision", &newer(halfway)).await;
    let held = shop.gate_says("holds the new revision", |step| step.phase == "Running").await;
    shop.tell(format_args!("gate: {}", held.message));
    assert_ne!(canary(&shop).await, before, "it is another revision");
    assert_eq!(shop.pods_of("v2").await, 0, "neither came in");

    shop.deliver("the other half", &newer(Delivery::example("2-canary"))).await;
    shop.gate_says("lets it in", |step| step.phase == "Successful").await;
    shop.rollout_is("Healthy").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

/// The hash of the pod template that is being let in, once it is that of the newest revision.
async fn canary(shop: &Shop) -> String {
    let rollout = shop.rollout_is("Progressing").await;
    rollout["status"]["currentPodHash"].as_str().unwrap().to_owned()
}
