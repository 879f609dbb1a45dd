//! A canary held by the plugin that asks elsewhere, while copies of the gate come and go.

use serde_json::{Value, json};

use super::{COPIES, NAMESPACE, REMOTE, certificate, elsewhere, project, too_early, version_1};
use crate::{
    delivery::Delivery,
    kubectl::{kubectl, kubectl_with, until},
    shop::{SOON, Shop},
};

const ROWS: u32 = 5_000;

#[tokio::test]
async fn a_canary_is_held_and_let_in_by_a_gate_elsewhere_while_its_certificate_is_renewed_and_its_copies_die() {
    let shop = Shop::serving("remote", ROWS, &elsewhere(version_1())).await;
    shop.change_is("expanded").await;
    the_plugin_is_configured_as_shipped(&shop).await;

    shop.deliver("version 2, and half of what it needs", &elsewhere(too_early())).await;
    // The controller may read every Secret. The gate may not, and it is the gate that reads.
    let refused = shop.gate_says("is undecided: nothing was granted", |step| step.phase == "Error").await;
    shop.tell(format_args!("gate: {}", refused.message));
    for wanted in ["`system:serviceaccount:phasegate:phasegate-serve` may not get", "manifests/serve-namespace"] {
        assert!(refused.message.contains(wanted), "{refused:?}");
    }
    shop.serve_may_read_here().await;
    let held = shop.gate_says("holds version 2", |step| step.phase == "Running").await;
    shop.tell(format_args!("gate: {}", held.message));
    assert!(held.message.contains("split-full-name is expanded; v2 needs migrated"), "{held:?}");
    only_the_gate_reads_the_ledger(&shop).await;
    shop.event_says("PhasegateWait", "v2 needs migrated").await;

    a_renewed_certificate_is_served(&shop).await;
    shop.is_asked_again().await;
    // Each in its turn: one of them is the one that the plugin is connected to.
    for dead in copies(&shop).await.iter().map(name) {
        dies(&shop, &dead).await;
        shop.is_asked_again().await;
    }
    assert_eq!(shop.pods_of("v2").await, 0, "held all the time");

    shop.deliver("the other half", &elsewhere(Delivery::example("2-canary"))).await;
    let released = shop.gate_says("lets version 2 in", |step| step.phase == "Successful").await;
    shop.tell(format_args!("gate: {}", released.message));
    shop.rollout_is("Healthy").await;
    shop.event_says("PhasegateProceed", "v2 may go on").await;
    shop.no_pods_of("v1").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

const RENEWED: &str = "phasegate_gate_certificate_looks_total{outcome=\"renewed\"}";

/// All but the entry's name: two plugins of one controller cannot share it.
async fn the_plugin_is_configured_as_shipped(shop: &Shop) {
    let entries = |config: &Value| {
        let text = config["data"]["stepPlugins"].as_str().unwrap();
        serde_saphyr::from_str::<Vec<Value>>(text).unwrap()
    };
    let shipped = project("manifests/plugin-rollouts-remote/argo-rollouts-config.yaml");
    let shipped: Value = serde_saphyr::from_str(&std::fs::read_to_string(shipped).unwrap()).unwrap();
    let mut wanted = entries(&shipped)[0].clone();
    wanted["name"] = json!(REMOTE);
    let installed = shop.api.get("configmap", "argo-rollouts", "argo-rollouts-config").await.unwrap();
    assert!(entries(&installed).contains(&wanted), "{installed}");
}

/// Its copies that run.
async fn copies(shop: &Shop) -> Vec<Value> {
    let pods = until("two copies are ready", SOON, async || {
        let mut pods = shop.api.list("pod", NAMESPACE, COPIES).await?;
        pods.retain(|pod| pod["metadata"].get("deletionTimestamp").is_none());
        let ready = |pod: &&Value| pod["status"]["containerStatuses"][0]["ready"] == true;
        let count = pods.iter().filter(ready).count();
        if (pods.len(), count) == (2, 2) { Ok(pods) } else { Err(format!("{count} of {}", pods.len())) }
    });
    pods.await
}

fn name(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().unwrap().to_owned()
}

/// One sample of a copy; nothing is none yet.
async fn metric(shop: &Shop, pod: &str, sample: &str) -> Result<u64, String> {
    let page = shop.api.page(NAMESPACE, &format!("{pod}:8080"), "metrics").await?;
    let value = page.lines().find_map(|line| line.strip_prefix(sample));
    Ok(value.map_or(0, |value| value.trim().parse().unwrap()))
}

/// By the addresses of those who read it.
async fn only_the_gate_reads_the_ledger(shop: &Shop) {
    let sql =
        format!("SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE usename = '{}_reader'", shop.database);
    let readers = shop.ledger(&sql).await.unwrap();
    let copies = copies(shop).await;
    let addresses: Vec<&str> = copies.iter().map(|pod| pod["status"]["podIP"].as_str().unwrap()).collect();
    assert!(!readers.is_empty() && readers.lines().all(|one| addresses.contains(&one)), "{readers} {addresses:?}");
}

/// As docs/reference/serve.md says: the same CA signs another, and the Secret is replaced.
async fn a_renewed_certificate_is_served(shop: &Shop) {
    let before: Vec<String> = copies(shop).await.iter().map(name).collect();
    let files = certificate();
    let script = project("manifests/serve/certificate");
    let made = tokio::process::Command::new(script).arg(&files).output().await.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (certificate, key) =
        (format!("--cert={}/tls.crt", files.display()), format!("--key={}/tls.key", files.display()));
    let secret = ["create", "secret", "tls", "phasegate-tls", "-n", NAMESPACE, &certificate, &key];
    let secret = kubectl(&[&secret[..], &["--dry-run=client", "-o=json"]].concat()).await.unwrap();
    let renewed_before = renewals(shop, &before).await.unwrap();
    kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], secret.as_bytes()).await.unwrap();
    for pod in &before {
        // The kubelet looks at a pod that changed at once, and else within a minute or two.
        shop.api.annotate("pod", NAMESPACE, pod, "phasegate.dev/look", "now").await.unwrap();
    }
    until("both copies serve the renewed certificate", SOON, async || {
        let renewed = renewals(shop, &before).await?;
        let all = renewed.iter().zip(&renewed_before).all(|(now, then)| now > then);
        if all { Ok(()) } else { Err(format!("{renewed:?}")) }
    })
    .await;
    shop.tell(format_args!("certificate: renewed in {}", before.join(" and ")));
}

async fn renewals(shop: &Shop, pods: &[String]) -> Result<Vec<u64>, String> {
    let mut renewals = Vec::new();
    for pod in pods {
        renewals.push(metric(shop, pod, RENEWED).await?);
    }
    Ok(renewals)
}

/// Without a chance to say goodbye.
async fn dies(shop: &Shop, copy: &str) {
    let delete = ["delete", "pod", "-n", NAMESPACE, copy, "--force", "--grace-period=0"];
    kubectl(&delete).await.unwrap_or_else(|error| panic!("{error}"));
    shop.tell(format_args!("killed: {copy}"));
}

impl Shop {
    /// Waits until the first gate was asked twice more, and holds the canary still.
    async fn is_asked_again(&self) {
        let mut before = None;
        until("the gate is asked again and holds it", SOON, async || {
            let rollout = self.rollout().await?;
            let step = &rollout["status"]["canary"]["stepPluginStatuses"][0];
            let times = step["executions"].as_i64().unwrap_or(0);
            let enough = times >= *before.get_or_insert(times) + 2;
            if enough && step["phase"] == "Running" { Ok(()) } else { Err(step.to_string()) }
        })
        .await;
    }

    /// Waits for an event of that reason on the Rollout that says so.
    async fn event_says(&self, reason: &str, wanted: &str) {
        until(&format!("an event {reason}"), SOON, async || {
            let events = self.api.list("event", &self.namespace, "").await?;
            let is_it = |event: &&Value| {
                event["reason"] == reason
                    && event["involvedObject"]["name"] == "customers"
                    && event["message"].as_str().is_some_and(|message| message.contains(wanted))
            };
            let seen = || events.iter().map(|event| event["reason"].to_string()).collect::<Vec<_>>().join(" ");
            events.iter().find(is_it).map(|_| ()).ok_or_else(seen)
        })
        .await;
    }
}
