//! What a person sees in Argo CD while a canary is held.

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{SOON, Shop},
};

const ROWS: u32 = 2_000;

#[tokio::test]
async fn argo_cd_shows_what_a_held_canary_waits_for_and_forgets_it_when_it_is_let_in() {
    let shop = Shop::serving("health", ROWS, &Delivery::example("1-expand").without(CHANGE)).await;
    let halfway = Delivery::example("2-canary").with(CHANGE, "target: migrated", "target: expanded");
    shop.deliver("version 2, and half of what it needs", &halfway).await;
    shop.gate_says("holds version 2", |step| step.message.contains("is expanded")).await;
    let said = until("Argo CD shows what the gate says", SOON, async || {
        let (status, message) = shop.health_of("Rollout").await?;
        let shown = message.starts_with("phasegate/gate: split-full-name is expanded; v2 needs migrated");
        if status == "Progressing" && shown { Ok(message) } else { Err(format!("{status}: {message}")) }
    })
    .await;
    shop.tell(format_args!("Argo CD: {said}"));
    assert!(said.ends_with(')'), "what Argo CD shows without us is there as well: {said}");
    shop.application_is("Progressing").await;

    shop.deliver("the other half", &Delivery::example("2-canary")).await;
    shop.rollout_is("Healthy").await;
    until("the message is gone", SOON, async || {
        let told = shop.health_of("Rollout").await?;
        if told == ("Healthy".to_owned(), String::new()) { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await;
    shop.application_is("Healthy").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
