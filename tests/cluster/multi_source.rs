//! Phasegate beside Kustomize: one Application of two sources, so that teams keep what renders their app.

use serde_json::json;

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{SERVICES, SOON, Shop},
};

const ROWS: u32 = 2_000;

/// The app in a folder that Kustomize renders, the declarations in one that Phasegate renders.
fn beside_kustomize(delivery: Delivery, version: &str) -> Delivery {
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": ["rollout.yaml", "service.yaml"],
        "images": [{"name": "registry.example.com/customers", "newTag": version}],
    });
    delivery
        .with("rollout.yaml", &format!("customers:{version}"), "customers:whatever-kustomize-says")
        .and("kustomization.yaml", &kustomization.to_string())
        .in_folders(|file| if file.starts_with("changes/") || file == "phasegate.yaml" { "schema" } else { "app" })
}

#[tokio::test]
async fn an_app_that_kustomize_renders_stands_beside_phasegate_in_one_application() {
    let shop = Shop::open("multi-source", ROWS).await;
    let repository = format!("git://git.{SERVICES}.svc.cluster.local/{}.git", shop.namespace);
    shop.api
        .apply(&json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": shop.namespace, "namespace": "argocd"},
            "spec": {
                "project": "default",
                "sources": [
                    {"repoURL": repository, "targetRevision": "main", "path": "app"},
                    {"repoURL": repository, "targetRevision": "main", "path": "schema",
                        "plugin": {"name": "phasegate-v1alpha1", "parameters": [
                            {"name": "schedule", "string": "* * * * *"},
                            {"name": "resources", "map": {"requests.cpu": "5m", "requests.memory": "16Mi"}},
                        ]}},
                ],
                "destination": {"server": "https://kubernetes.default.svc", "namespace": shop.namespace},
                "syncPolicy": {"automated": {"prune": true, "selfHeal": true}},
            },
        }))
        .await;
    deliver(&shop, "version 1", &beside_kustomize(Delivery::example("1-expand").without(CHANGE), "v1")).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;

    deliver(&shop, "version 2", &beside_kustomize(Delivery::example("2-canary"), "v2")).await;
    shop.gate_says("lets version 2 in", |step| step.phase == "Successful").await;
    shop.rollout_is("Healthy").await;
    deliver(&shop, "contract", &beside_kustomize(Delivery::example("3-contract"), "v2")).await;
    shop.change_is("contracted").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

/// Waits until both sources are of the new commit.
async fn deliver(shop: &Shop, message: &str, delivery: &Delivery) {
    let commit = shop.commit(message, delivery).await;
    until("Argo CD has applied the commit of both sources", SOON, async || {
        let application = shop.application().await?;
        let operation = &application["status"]["operationState"];
        let revisions = &operation["syncResult"]["revisions"];
        if *revisions == json!([commit, commit]) && operation["phase"] == "Succeeded" {
            return Ok(());
        }
        // Not more often than asked: a refresh under way serves the next question too.
        shop.refresh().await?;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        Err(format!("{operation}, {}", application["status"]["conditions"]))
    })
    .await;
}
