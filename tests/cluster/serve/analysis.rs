//! The AnalysisTemplate that is shipped, where a step cannot be or cannot wait.

use serde_json::{Value, json};

use super::{too_early, version_1};
use crate::{
    delivery::Delivery,
    kubectl::until,
    shop::{SOON, Shop},
};

const ROWS: u32 = 5_000;
/// Much shorter than what is waited for.
const DEADLINE: u32 = 30;
/// So many looks, one each 15 s, take twice as long as the deadline.
const LOOKS: i64 = 5;

/// As docs/reference/serve.md shows it.
fn analysis() -> Value {
    let metadata = |field: &str| json!({"fieldRef": {"fieldPath": format!("metadata.{field}")}});
    json!({
        "templates": [{"templateName": "phasegate"}],
        "args": [
            {"name": "namespace", "valueFrom": metadata("namespace")},
            {"name": "rollout", "valueFrom": metadata("name")},
            {"name": "uid", "valueFrom": metadata("uid")},
            {"name": "version", "valueFrom": {"podTemplateHashValue": "Latest"}},
            {"name": "stable", "valueFrom": {"podTemplateHashValue": "Stable"}},
        ],
    })
}

fn blue_green(delivery: Delivery) -> Delivery {
    delivery.edited(|rollout| {
        rollout["spec"]["progressDeadlineSeconds"] = json!(DEADLINE);
        rollout["spec"]["strategy"] = json!({"blueGreen": {
            "activeService": "customers", "scaleDownDelaySeconds": 10, "prePromotionAnalysis": analysis(),
        }});
    })
}

/// A canary with the analysis in the place of the plugin.
fn analysed(delivery: Delivery) -> Delivery {
    delivery.edited(|rollout| {
        rollout["spec"]["progressDeadlineSeconds"] = json!(DEADLINE);
        for step in rollout["spec"]["strategy"]["canary"]["steps"].as_array_mut().unwrap() {
            if step.get("plugin").is_some() {
                *step = json!({"analysis": analysis()});
            }
        }
    })
}

/// A Rollout that names a template which is not there is invalid, so what a platform team applies comes first.
async fn serving(name: &str, version_1: &Delivery) -> Shop {
    let shop = Shop::open(name, ROWS).await;
    shop.serve_may_read_here().await;
    shop.deliver("version 1", version_1).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;
    shop.change_is("expanded").await;
    shop
}

impl Shop {
    /// The AnalysisRun that came last.
    async fn analysis(&self) -> Result<Value, String> {
        let mut runs = self.api.list("analysisrun", &self.namespace, "").await?;
        runs.sort_by_key(|run| run["metadata"]["creationTimestamp"].as_str().unwrap_or("").to_owned());
        runs.pop().ok_or_else(|| "there is no AnalysisRun".to_owned())
    }

    /// Waits until it has looked so often that the deadline is long over, and knows what it waits for.
    async fn analysis_waits(&self) {
        let said = until("the analysis waits", SOON, async || {
            let run = self.analysis().await?;
            let metric = &run["status"]["metricResults"][0];
            let last = metric["measurements"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
            let said = last["value"].as_str().unwrap_or("").to_owned();
            let waits = run["status"]["phase"] == "Running" && said.contains("v2 needs migrated");
            if waits && metric["inconclusive"].as_i64() >= Some(LOOKS) {
                Ok(said)
            } else {
                Err(run["status"].to_string())
            }
        })
        .await;
        self.tell(format_args!("analysis: {said}"));
    }

    /// What the Rollout says of itself.
    async fn phase(&self) -> (String, String) {
        let rollout = self.rollout().await.unwrap();
        let text = |key: &str| rollout["status"][key].as_str().unwrap_or("").to_owned();
        (text("phase"), text("message"))
    }
}

#[tokio::test]
async fn a_blue_green_preview_is_held_by_the_analysis_template_and_promoted_though_the_deadline_is_over() {
    let shop = serving("preview", &blue_green(version_1())).await;
    shop.the_asker_gets_its_token().await;

    shop.deliver("version 2, and half of what it needs", &blue_green(too_early())).await;
    shop.analysis_waits().await;
    let (phase, message) = shop.phase().await;
    shop.tell(format_args!("rollout: {phase}, {message}"));
    // Argo does not count the time of an analysis step, but of this it does: it says so, and waits on.
    assert!(phase == "Degraded" && message.contains("ProgressDeadlineExceeded"), "{phase}: {message}");
    assert_eq!(shop.figures("figures").await.unwrap().served_by("v2"), 0, "nobody reaches the preview");

    shop.deliver("the other half", &blue_green(Delivery::example("2-canary"))).await;
    until("the analysis is content", SOON, async || {
        let run = shop.analysis().await?;
        if run["status"]["phase"] == "Successful" { Ok(()) } else { Err(run["status"].to_string()) }
    })
    .await;
    shop.rollout_is("Healthy").await;
    shop.no_pods_of("v1").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

#[tokio::test]
async fn a_canary_held_by_the_analysis_template_outlasts_the_progress_deadline_and_one_without_a_token_goes_back() {
    let shop = serving("patient", &analysed(version_1())).await;

    shop.deliver("version 2, and half of what it needs", &analysed(too_early())).await;
    let aborted = shop.rollout_is("Degraded").await;
    let message = aborted["status"]["message"].as_str().unwrap_or("");
    shop.tell(format_args!("without a token: {message}"));
    assert!(message.contains("aborted") && message.contains("'token' does not exist in secret"), "{message}");
    assert_eq!(shop.pods_of("v2").await, 0);

    shop.the_asker_gets_its_token().await;
    shop.person(&["retry", "rollout", "customers"]).await;
    shop.analysis_waits().await;
    let (phase, message) = shop.phase().await;
    assert_eq!(phase, "Progressing", "{message}");
    assert_eq!(shop.pods_of("v2").await, 0, "no pod of version 2 before it is let in");

    shop.deliver("the other half", &analysed(Delivery::example("2-canary"))).await;
    shop.rollout_is("Healthy").await;
    shop.no_pods_of("v1").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
