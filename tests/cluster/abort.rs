//! A canary that a person aborts.

use crate::{
    delivery::{CHANGE, Delivery},
    shop::Shop,
};

const ROWS: u32 = 5_000;

impl Shop {
    /// After an abort, with a first pause that a person ends: the old version serves what the new one has written.
    pub(crate) async fn is_let_in_aborted_and_let_in_again(&self, rows: u32) {
        self.person(&["retry", "rollout", "customers"]).await;
        self.rollout_is("Paused").await;
        assert!(self.pods_of("v2").await > 0, "version 2 serves");
        // What it writes now, version 1 must read after the abort: the users look.
        self.served_by("v2", 50).await;
        self.person(&["abort", "customers"]).await;
        self.rollout_is("Degraded").await;
        self.change_is("migrated").await;

        self.person(&["retry", "rollout", "customers"]).await;
        self.rollout_is("Paused").await;
        self.person(&["promote", "customers"]).await;
        self.rollout_is("Healthy").await;
        assert!(self.pods_of("v2").await > 0);
        self.users_are_content(rows).await;
    }
}

#[tokio::test]
async fn a_canary_aborted_while_held_and_after_its_release_leaves_the_old_version_serving_and_can_be_tried_again() {
    let shop = Shop::open("abort", ROWS).await;
    let before = Delivery::example("1-expand").with_a_pause().without(CHANGE);
    let halfway = Delivery::example("2-canary").with_a_pause().with(CHANGE, "target: migrated", "target: expanded");
    let whole = Delivery::example("2-canary").with_a_pause();
    shop.deliver("version 1", &before).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;

    shop.deliver("version 2, and half of what it needs", &halfway).await;
    let held = shop.gate_says("holds version 2", |step| step.message.contains("is expanded")).await;
    shop.tell(format_args!("gate: {}", held.message));
    assert_eq!((held.phase.as_str(), shop.pods_of("v2").await), ("Running", 0));

    shop.person(&["abort", "customers"]).await;
    shop.rollout_is("Degraded").await;
    assert_eq!(shop.pods_of("v2").await, 0, "nothing of version 2 came in");
    shop.change_is("expanded").await;

    shop.deliver("the other half", &whole).await;
    shop.change_is("migrated").await;
    shop.is_let_in_aborted_and_let_in_again(ROWS).await;
    shop.close().await;
}
