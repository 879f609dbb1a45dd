//! Waits that are longer than somebody thinks.

use serde_json::{Value, json};

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{SOON, Shop},
};

const ROWS: u32 = 5_000;

#[tokio::test]
async fn a_contract_waits_for_pods_that_take_long_to_terminate() {
    let slow = Delivery::example("1-expand").environment("LINGER", "900");
    let slow = slow.edited(|it| it["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(900));
    let shop = Shop::serving("slow", ROWS, &slow).await;
    shop.change_is("migrated").await;
    shop.deliver("version 2", &Delivery::example("2-canary")).await;
    shop.rollout_is("Healthy").await;

    shop.deliver("contract", &Delivery::example("3-contract")).await;
    let said = shop.run_says("which pods it waits for", |line| line.contains("blocked by")).await;
    assert!(said.contains("(2 pods)"), "nothing but its pods is left of version 1: {said}");
    shop.change_is("migrated").await;
    for pod in shop.pods().await {
        let name = format!("{}:8080", pod["metadata"]["name"].as_str().unwrap());
        if pod["metadata"].get("deletionTimestamp").is_some() {
            shop.api.page(&shop.namespace, &name, "leave").await.unwrap();
        }
    }
    shop.change_is("contracted").await;
    assert_eq!(shop.pods_of("v1").await, 0, "contracted while a pod of version 1 was there");
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

/// How often the gate was asked about the current canary.
fn asked(rollout: &Value) -> i64 {
    rollout["status"]["canary"]["stepPluginStatuses"][0]["executions"].as_i64().unwrap_or(0)
}

#[tokio::test]
async fn a_wait_longer_than_the_progress_deadline_ends_by_itself_only_with_the_deadline_lint_asks_for() {
    let halfway = Delivery::example("2-canary").with(CHANGE, "target: migrated", "target: expanded");
    let short = |delivery: Delivery| delivery.edited(|it| it["spec"]["progressDeadlineSeconds"] = json!(20));
    let shop = Shop::serving("deadline", ROWS, &Delivery::example("1-expand").without(CHANGE)).await;

    shop.deliver("version 2, with the deadline lint asks for", &halfway).await;
    until("it has waited longer than the short deadline", SOON, async || {
        let rollout = shop.rollout_is("Progressing").await;
        let times = asked(&rollout);
        if times >= 4 { Ok(()) } else { Err(format!("asked {times} times")) }
    })
    .await;

    shop.deliver("the same with a short deadline", &short(halfway)).await;
    let late = shop.rollout_is("Degraded").await;
    let message = late["status"]["message"].as_str().unwrap_or("").to_owned();
    shop.tell(format_args!("rollout: {message}"));
    assert!(message.contains("ProgressDeadlineExceeded"), "{message}");
    let times = asked(&late);

    shop.deliver("the other half", &short(Delivery::example("2-canary"))).await;
    shop.change_is("migrated").await;
    shop.users_go_on(500).await;
    let still = shop.rollout_is("Degraded").await;
    assert_eq!(asked(&still), times, "Argo asks no more, though the schema is ready");
    assert_eq!(shop.pods_of("v2").await, 0);

    // Neither a retry nor a longer deadline has it ask again; a restart of the pods does.
    shop.person(&["restart", "customers"]).await;
    shop.rollout_is("Healthy").await;
    shop.no_pods_of("v1").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
