//! Who may ask the gate, and about what.

use serde_json::{Value, json};

use super::{Door, REMOTE, elsewhere, token, version_1};
use crate::{
    delivery::Delivery,
    kubectl::{kubectl, until},
    shop::{SOON, Shop},
    step_plugin::idle_pod,
};

const ROWS: u32 = 5_000;
const ARGO: &str = "argo-rollouts/argo-rollouts";
const AUDIENCE: Option<&str> = Some("phasegate");

#[tokio::test]
async fn a_gate_elsewhere_answers_only_whom_it_knows_and_reads_only_what_is_shared_with_the_namespace_that_asks() {
    let guest = Shop::open("guest", 10).await;
    let shop = Shop::serving("host", ROWS, &elsewhere(version_1())).await;
    shop.change_is("expanded").await;
    shop.serve_may_read_here().await;
    guest.serve_may_read_here().await;
    tokens_are_told_apart(&shop, &guest).await;

    guest_at_version_1(&guest, &shop.namespace).await;
    let next = json!({"spec": {"template": {"metadata": {"annotations": {
        "supports.phasegate.dev/customers": "split-full-name",
    }}}}});
    guest.api.patch("rollout", &guest.namespace, "customers", &next).await.unwrap();
    let refused = guest.gate_says("refuses what is not shared", |step| step.phase == "Error").await;
    let wanted = "the Database customers in namespace shop-host does not list the namespace shop-guest";
    assert!(refused.message.contains(wanted), "{refused:?}");
    guest.tell(format_args!("gate: {}", refused.message));

    let shared = |delivery: Delivery| {
        let with = "  engine: postgres\n  namespaces: [shop-guest]\n";
        elsewhere(delivery.with("phasegate.yaml", "  engine: postgres\n", with))
    };
    shop.deliver("shared with the guest", &shared(version_1())).await;
    let held = guest.gate_says("holds what is shared and not ready", |step| step.phase == "Running").await;
    assert!(held.message.contains("split-full-name is expanded"), "{held:?}");
    shop.deliver("migrated", &shared(Delivery::example("1-expand"))).await;
    guest.gate_says("lets the guest go on", |step| step.phase == "Successful").await;
    guest.rollout_is("Healthy").await;
    shop.users_go_on(50).await;
    shop.nothing_failed(ROWS).await;
    guest.close().await;
    shop.close().await;
}

/// Every kind of caller, with tokens of the API server's own making.
async fn tokens_are_told_apart(shop: &Shop, guest: &Shop) {
    let door = Door::open().await;
    let rollout = shop.rollout().await.unwrap();
    let question = json!({
        "namespace": shop.namespace, "rollout": "customers", "uid": rollout["metadata"]["uid"],
        "podTemplateHash": rollout["status"]["currentPodHash"], "stablePodTemplateHash": rollout["status"]["stableRS"],
    });
    let account = |of: &Shop, name: &str| format!("{}/{name}", of.namespace);
    let argo = token(ARGO, AUDIENCE).await;
    let rows = [
        ("the controller", argo.clone(), 200, "proceed"),
        ("the controller's default token", token(ARGO, None).await, 401, "its audience is not phasegate"),
        ("a forged one", forged(&argo), 401, "the API server does not know it"),
        ("nobody", String::new(), 401, "there is no token"),
        ("somebody", token(&account(shop, "default"), AUDIENCE).await, 403, "may not ask this gate"),
        ("its own asker", token(&account(shop, "phasegate-asker"), AUDIENCE).await, 200, "proceed"),
        ("another asker", token(&account(guest, "phasegate-asker"), AUDIENCE).await, 403, "its own namespace only"),
    ];
    for (who, token, code, want) in rows {
        let (answered, said) = door.ask(&token, &question).await.unwrap_or_else(|error| panic!("{who}: {error}"));
        shop.tell(format_args!("asked by {who}: {answered}"));
        assert!(answered == code && said.to_string().contains(want), "{who}: {answered} {said}");
    }
    a_token_ends_with_its_secret(shop, &door, &question).await;
}

/// The one that the CronJob renews.
async fn a_token_ends_with_its_secret(shop: &Shop, door: &Door, question: &Value) {
    shop.the_asker_gets_its_token().await;
    let token = shop.asker_token().await.unwrap();
    let (code, said) = door.ask(&token, question).await.unwrap();
    assert_eq!((code, &said["verdict"]), (200, &json!("proceed")), "{said}");
    shop.serve_may_read_here().await;
    assert_eq!(shop.asker_token().await.unwrap(), token, "applied again, the manifests leave it");
    kubectl(&["delete", "secret", "-n", &shop.namespace, "phasegate-asker"]).await.unwrap();
    until("the token is refused without its Secret", SOON, async || {
        let (code, said) = door.ask(&token, question).await?;
        if code == 401 { Ok(()) } else { Err(format!("{code} {said}")) }
    })
    .await;
}

/// The same claims, signed by nobody.
fn forged(token: &str) -> String {
    let (claims, signature) = token.rsplit_once('.').unwrap();
    let signature: String = signature.chars().rev().collect();
    format!("{claims}.{signature}")
}

/// A Rollout of the guest's namespace that uses the host's database.
async fn guest_at_version_1(guest: &Shop, host: &str) {
    let labels = json!({"suite": "guest", "database.phasegate.dev/customers": host});
    guest
        .api
        .apply(&json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": {"name": "customers", "namespace": guest.namespace},
            "spec": {
                "replicas": 1, "progressDeadlineSeconds": 604_800,
                "selector": {"matchLabels": {"suite": "guest"}},
                "strategy": {"canary": {"steps": [{"plugin": {"name": REMOTE, "config": {"requeueSeconds": 11}}}]}},
                "template": {"metadata": {"labels": labels}, "spec": idle_pod()},
            },
        }))
        .await;
    guest.rollout_is("Healthy").await;
}
