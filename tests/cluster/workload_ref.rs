//! A Rollout that takes its pod template from a Deployment.

use serde_json::{Value, json};

use crate::{
    delivery::{CHANGE, Delivery},
    shop::Shop,
};

const ROWS: u32 = 5_000;

/// With the pod template in a Deployment of no replicas.
fn referring(delivery: Delivery) -> Delivery {
    let mut template = Value::Null;
    let delivery = delivery.edited(|rollout| {
        let spec = rollout["spec"].as_object_mut().unwrap();
        template = spec.remove("template").unwrap();
        spec.insert(
            "workloadRef".to_owned(),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "customers"}),
        );
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "customers"},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app.kubernetes.io/name": "customers"}}, "template": template,
        },
    });
    delivery.and("deployment.yaml", &deployment.to_string())
}

#[tokio::test]
async fn a_rollout_with_a_workload_ref_is_held_and_let_in_like_any_other() {
    let shop = Shop::serving("workload-ref", ROWS, &referring(Delivery::example("1-expand").without(CHANGE))).await;
    let halfway = Delivery::example("2-canary").with(CHANGE, "target: migrated", "target: expanded");
    shop.deliver("version 2, and half of what it needs", &referring(halfway)).await;
    let held = shop.gate_says("holds version 2", |step| step.message.contains("is expanded")).await;
    shop.tell(format_args!("gate: {}", held.message));
    assert_eq!((held.phase.as_str(), shop.pods_of("v2").await), ("Running", 0));

    shop.deliver("the other half", &referring(Delivery::example("2-canary"))).await;
    shop.gate_says("lets version 2 in", |step| step.phase == "Successful").await;
    shop.rollout_is("Healthy").await;
    shop.deliver("contract", &referring(Delivery::example("3-contract"))).await;
    shop.change_is("contracted").await;
    assert_eq!(shop.pods_of("v1").await, 0, "contracted while a pod of version 1 was there");
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
