//! What happens without the gate: the scenarios could fail.

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{SOON, Shop},
};

const ROWS: u32 = 5_000;

#[tokio::test]
async fn without_the_gate_the_same_canary_fails_its_users() {
    let shop = Shop::open("control", ROWS).await;
    let version_2 = Delivery::example("2-canary").with(CHANGE, "target: migrated", "target: expanded");
    shop.deliver("version 1", &Delivery::example("1-expand").without(CHANGE)).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;

    shop.deliver("version 2 without a gate", &version_2.with_a_pause().without_the_gate()).await;
    shop.rollout_is("Paused").await;
    until("version 2 has done harm", SOON, async || {
        let figures = shop.figures("figures").await?;
        if figures.lost > 0 { Ok(()) } else { Err(format!("{figures:?}")) }
    })
    .await;
    let figures = shop.account().await;
    assert!(figures.lost > 0, "version 2 finds its columns empty, and the users notice: {figures:?}");
    shop.line.note("lost: there is no gate here, on purpose".to_owned());
    shop.close().await;
}
