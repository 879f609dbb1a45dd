//! The behaviours that Argo Rollouts' own test/e2e/step_plugin_test.go (1.10.2) demands of a step plugin and its
//! controller, of ours. Small Rollouts in one namespace, each of which asks up to three databases: `customers`, which is
//! contracted; `second`, another name of the same, so that a version may fit one and not the other; and `third`, which
//! nobody declares.

use serde_json::{Value, json};

use crate::{
    delivery::Delivery,
    kubectl::{kubectl, until},
    shop::{SOON, Shop},
};

const GATE: &str = "phasegate/gate";
/// Fits what is contracted.
const NEW: &str = "split-full-name";

/// One Rollout of the suite.
struct Suite {
    shop: Shop,
}

/// One line of `status.canary.stepPluginStatuses`: index, operation, phase.
type Line = (i64, String, String);

fn line(index: i64, operation: &str, phase: &str) -> Line {
    (index, operation.to_owned(), phase.to_owned())
}

/// A pod that does nothing: for Rollouts whose steps are all that counts.
pub(crate) fn idle_pod() -> Value {
    json!({
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "app", "image": "docker.io/local/pause:1",
            "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true,
            },
        }],
    })
}

fn gate(database: &str) -> Value {
    json!({"plugin": {"name": GATE, "config": {"databases": [database], "requeueSeconds": 17}}})
}

impl Suite {
    async fn open() -> Self {
        let shop = Shop::open("step-plugin", 100).await;
        shop.deliver("contracted already", &Delivery::example("3-contract")).await;
        shop.change_is("contracted").await;
        let declared = shop.look("configmap", "phasegate-customers").await.unwrap();
        let mut data = declared["data"].clone();
        data["database"] = json!("second");
        shop.api
            .apply(&json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "phasegate-second", "namespace": shop.namespace}, "data": data,
            }))
            .await;
        data["database"] = json!("locked");
        data["gate-secret"] = json!("nobody-has-it");
        shop.api
            .apply(&json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "phasegate-locked", "namespace": shop.namespace}, "data": data,
            }))
            .await;
        Self { shop }
    }

    /// A Rollout at its first revision, of a version that fits everything.
    async fn at_version_1(&self, name: &str, steps: &[Value], deadline: u32) {
        let labels = json!({
            "suite": name, "database.phasegate.dev/customers": "", "database.phasegate.dev/second": "",
            "database.phasegate.dev/third": "", "database.phasegate.dev/locked": "",
        });
        let annotations = json!({"supports.phasegate.dev/customers": NEW, "supports.phasegate.dev/second": NEW});
        self.shop
            .api
            .apply(&json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
                "metadata": {"name": name, "namespace": self.shop.namespace},
                "spec": {
                    "replicas": 1, "progressDeadlineSeconds": deadline,
                    "selector": {"matchLabels": {"suite": name}},
                    "strategy": {"canary": {"steps": steps}},
                    "template": {
                        "metadata": {"labels": labels, "annotations": annotations},
                        "spec": idle_pod(),
                    },
                },
            }))
            .await;
        self.is(name, "Healthy").await;
    }

    async fn patch(&self, name: &str, patch: Value) {
        self.shop.api.patch("rollout", &self.shop.namespace, name, &patch).await.unwrap();
    }

    /// The next revision.
    async fn updated(&self, name: &str, annotations: Value) {
        self.patch(name, json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})).await;
    }

    async fn is(&self, name: &str, phase: &str) -> Value {
        until(&format!("{name} is {phase}"), SOON, async || {
            let rollout = self.shop.look("rollout", name).await?;
            let newest = rollout["metadata"]["generation"].to_string();
            let status = &rollout["status"];
            let seen = status["observedGeneration"] == newest.as_str() && status["phase"] == phase;
            if seen { Ok(rollout) } else { Err(format!("{}: {}", status["phase"], status["message"])) }
        })
        .await
    }

    /// Waits until exactly this is told of the steps.
    async fn tells(&self, name: &str, wanted: &[Line]) -> Value {
        until(&format!("{name} tells {wanted:?}"), SOON, async || {
            let rollout = self.shop.look("rollout", name).await?;
            if told(&rollout) == wanted { Ok(rollout) } else { Err(format!("{:?}", told(&rollout))) }
        })
        .await
    }

    async fn person(&self, command: &[&str]) {
        kubectl(&[&["argo", "rollouts", "-n", &self.shop.namespace], command].concat()).await.unwrap();
    }
}

fn told(rollout: &Value) -> Vec<Line> {
    let steps = rollout["status"]["canary"]["stepPluginStatuses"].as_array().cloned().unwrap_or_default();
    let text = |step: &Value, key: &str| step[key].as_str().unwrap_or("").to_owned();
    let lines = steps.iter().map(|step| {
        let name = if step["disabled"] == true { "phasegate/disabled" } else { GATE };
        assert_eq!(step["name"], name);
        (step["index"].as_i64().unwrap(), text(step, "operation"), text(step, "phase"))
    });
    lines.collect()
}

fn revision(rollout: &Value) -> &str {
    rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"].as_str().unwrap()
}

fn is_stable(rollout: &Value) -> bool {
    rollout["status"]["stableRS"] == rollout["status"]["currentPodHash"]
}

#[tokio::test]
async fn the_ten_behaviours_of_argo_rollouts_own_suite_for_step_plugins() {
    let suite = Suite::open().await;
    tokio::join!(
        completes_when_successful_and_uses_no_status_of_an_older_revision(&suite),
        aborts_when_a_step_fails(&suite),
        aborts_its_steps_when_aborted_and_starts_anew_when_retried(&suite),
        completes_when_promoted_while_a_step_runs(&suite),
        asks_until_the_deadline_while_it_waits(&suite),
        asks_until_the_deadline_while_it_is_undecided(&suite),
        is_stopped_by_a_plugin_nobody_configured(&suite),
        passes_a_plugin_that_is_disabled(&suite),
    );
    suite.shop.close().await;
}

/// TestRolloutCompletesWhenStepSuccessful, TestRolloutStatusIsNotUsedOnNewRollout.
async fn completes_when_successful_and_uses_no_status_of_an_older_revision(suite: &Suite) {
    let name = "successful";
    suite.at_version_1(name, &[gate("customers"), gate("second")], 600).await;
    suite.updated(name, json!({"try": "2"})).await;
    let rollout = suite.is(name, "Healthy").await;
    assert!(is_stable(&rollout) && revision(&rollout) == "2");
    assert_eq!(told(&rollout), [line(0, "Run", "Successful"), line(1, "Run", "Successful")]);

    suite.patch(name, json!({"spec": {"strategy": {"canary": {"steps": [gate("customers")]}}}})).await;
    suite.updated(name, json!({"try": "3"})).await;
    let rollout = suite.is(name, "Healthy").await;
    assert!(is_stable(&rollout) && revision(&rollout) == "3");
    assert_eq!(told(&rollout), [line(0, "Run", "Successful")]);
}

/// TestRolloutAbortWhenStepFails.
async fn aborts_when_a_step_fails(suite: &Suite) {
    let name = "failed";
    suite.at_version_1(name, &[gate("customers"), gate("second")], 600).await;
    suite.updated(name, json!({"supports.phasegate.dev/second": null})).await;
    let lines = [line(0, "Run", "Successful"), line(1, "Run", "Failed"), line(0, "Abort", "Successful")];
    suite.tells(name, &lines).await;
    let rollout = suite.is(name, "Degraded").await;
    assert_eq!(rollout["status"]["abort"], true);
    assert!(!is_stable(&rollout), "revision 1 stays");
}

/// TestRolloutAbortStepsWhenAborted, TestRolloutRetryAbortedRollout.
async fn aborts_its_steps_when_aborted_and_starts_anew_when_retried(suite: &Suite) {
    let name = "aborted";
    suite.at_version_1(name, &[gate("customers"), gate("third")], 600).await;
    suite.updated(name, json!({"try": "2"})).await;
    let running = [line(0, "Run", "Successful"), line(1, "Run", "Running")];
    suite.tells(name, &running).await;
    suite.person(&["abort", name]).await;
    let aborted = [line(1, "Abort", "Successful"), line(0, "Abort", "Successful")];
    suite.tells(name, &[&running[..], &aborted].concat()).await;
    assert_eq!(suite.is(name, "Degraded").await["status"]["abort"], true);

    suite.person(&["retry", "rollout", name]).await;
    let rollout = suite.tells(name, &running).await;
    assert_ne!(rollout["status"]["abort"], true);
}

/// TestRolloutCompletesWhenPromotedAndStepRunning.
async fn completes_when_promoted_while_a_step_runs(suite: &Suite) {
    let name = "full-promotion";
    suite.at_version_1(name, &[gate("customers"), gate("third")], 600).await;
    suite.updated(name, json!({"try": "2"})).await;
    let running = [line(0, "Run", "Successful"), line(1, "Run", "Running")];
    suite.tells(name, &running).await;
    suite.person(&["promote", name, "--full"]).await;
    let rollout = suite.is(name, "Healthy").await;
    assert_eq!(told(&rollout), [&running[..], &[line(1, "Terminate", "Successful")]].concat());
}

/// TestRolloutRetriesUntilDeadlineWhenRunning.
async fn asks_until_the_deadline_while_it_waits(suite: &Suite) {
    let name = "running";
    suite.at_version_1(name, &[gate("customers"), gate("third")], 45).await;
    suite.updated(name, json!({"try": "2"})).await;
    let lines = [line(0, "Run", "Successful"), line(1, "Run", "Running")];
    suite.tells(name, &lines).await;
    let rollout = suite.is(name, "Degraded").await;
    assert_eq!((told(&rollout), &rollout["status"]["currentStepIndex"]), (lines.to_vec(), &json!(1)));
    let step = &rollout["status"]["canary"]["stepPluginStatuses"][1];
    assert_eq!((&step["backoff"], &step["status"]["verdict"]), (&json!("17s"), &json!("wait")));
    asked_again_and_not_all_the_time(step, 22);
}

/// TestRolloutRetriesUntilDeadlineWhenError.
async fn asks_until_the_deadline_while_it_is_undecided(suite: &Suite) {
    let name = "undecided";
    suite.at_version_1(name, &[gate("customers"), gate("locked")], 45).await;
    suite.updated(name, json!({"try": "2"})).await;
    let lines = [line(0, "Run", "Successful"), line(1, "Run", "Error")];
    suite.tells(name, &lines).await;
    let rollout = suite.is(name, "Degraded").await;
    assert_eq!((told(&rollout), &rollout["status"]["currentStepIndex"]), (lines.to_vec(), &json!(1)));
    let step = &rollout["status"]["canary"]["stepPluginStatuses"][1];
    assert!(step["message"].as_str().unwrap().contains("there is no Secret nobody-has-it"), "{step}");
    assert_eq!((&step["backoff"], step.get("status")), (&json!("30s"), None));
    asked_again_and_not_all_the_time(step, 35);
}

/// A busy machine asks late, and a deadline that comes late sees more questions: what holds is the time between them.
fn asked_again_and_not_all_the_time(step: &Value, seconds: i64) {
    let time = |key: &str| step[key].as_str().unwrap().parse::<k8s_openapi::jiff::Timestamp>().unwrap().as_second();
    let executions = step["executions"].as_i64().unwrap();
    assert!(executions >= 2, "{step}");
    assert!((executions - 1) * (seconds - 1) <= time("updatedAt") - time("startedAt") + 1, "{step}");
}

/// TestRolloutErrorWhenStepPluginNotConfigured.
async fn is_stopped_by_a_plugin_nobody_configured(suite: &Suite) {
    let name = "not-configured";
    let step = json!({"plugin": {"name": "phasegate/gaet"}});
    suite.at_version_1(name, &[step], 15).await;
    suite.updated(name, json!({"try": "2"})).await;
    let rollout = suite.is(name, "Degraded").await;
    assert!(!is_stable(&rollout), "a gate that is misspelt lets nobody in");
    assert_eq!((told(&rollout), &rollout["status"]["currentStepIndex"]), (Vec::new(), &json!(0)));
}

/// TestRolloutSkipPluginWhenDisabled. The controller's configuration has a second entry for the purpose.
async fn passes_a_plugin_that_is_disabled(suite: &Suite) {
    let name = "disabled";
    let disabled = json!({"plugin": {"name": "phasegate/disabled"}});
    suite.at_version_1(name, &[disabled, gate("customers")], 600).await;
    suite.updated(name, json!({"try": "2"})).await;
    let rollout = suite.is(name, "Healthy").await;
    assert!(is_stable(&rollout) && revision(&rollout) == "2");
    assert_eq!(told(&rollout), [line(0, "Run", ""), line(1, "Run", "Successful")]);
    assert_eq!(rollout["status"]["canary"]["stepPluginStatuses"][0]["disabled"], true);
}
