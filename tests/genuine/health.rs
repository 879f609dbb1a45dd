//! The health of a Rollout as `manifests/rollout-health` tells it, by the Lua engine and the tests of Argo CD itself.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use fastrand::Rng;
use serde_json::{Value, json};
use tests::examples::{copy, root};
use tokio::process::Command;

use crate::{
    play::{Played, play},
    target,
};

const VERSIONS: [&str; 2] = ["3.5.7", "3.2.11"];
/// In the layout of Argo CD's own customizations.
const FOLDER: &str = "manifests/rollout-health/resource_customizations/argoproj.io/Rollout";

async fn judged(version: &str, folder: &Path, objects: &[String]) -> Played {
    let mut judge = Command::new(target().counterpart(&format!("argocd-health-{version}")).unwrap());
    let played = play(judge.arg("--folder").arg(folder).args(objects), Duration::from_secs(60)).await;
    assert!(played.line("counterpart").unwrap().contains(&format!("argo-cd v{version},")), "{played}");
    played
}

fn passed<'a>(played: &'a Played, prefix: &str) -> Vec<&'a str> {
    let lines = played.out.lines();
    lines.filter_map(|line| line.strip_prefix("ok ")?.strip_prefix(prefix)).collect()
}

#[tokio::test]
async fn it_passes_its_own_tests_and_all_that_argo_cd_has_for_its_own_script() {
    let folder = root().join(FOLDER);
    let data = fs::read_dir(folder.join("testdata")).unwrap().count();
    for version in VERSIONS {
        let played = judged(version, &folder, &[]).await;
        assert_eq!(played.code, Some(0), "{played}");
        assert_eq!(passed(&played, "ours/").len(), data, "each file of the test data has a test: {played}");
        assert!(passed(&played, "argo-cd/").len() >= 20, "{played}");
    }
}

/// Whatever it is that Argo CD tells of a Rollout no plugin holds, we tell too.
#[tokio::test]
async fn without_a_step_that_waits_it_says_what_argo_cd_says() {
    let scratch = tempfile::tempdir().unwrap();
    let mut random = Rng::with_seed(7);
    let objects: Vec<String> = (0..600)
        .map(|number| {
            let path = scratch.path().join(format!("{number}.json"));
            fs::write(&path, rollout(&mut random).to_string()).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect();
    for version in VERSIONS {
        let played = judged(version, &root().join(FOLDER), &objects).await;
        assert_eq!(played.code, Some(0), "{played}");
        let mut told = BTreeMap::<String, usize>::new();
        for line in played.out.lines().filter_map(|line| line.strip_prefix("answer ")) {
            let answer: Value = serde_json::from_str(line).unwrap();
            // Their script fails on some; a person is better served by anything else.
            if answer["theirs"].get("error").is_none() {
                let object = fs::read_to_string(scratch.path().join(answer["object"].as_str().unwrap())).unwrap();
                assert_eq!(answer["ours"], answer["theirs"], "{object}");
                *told.entry(answer["theirs"].to_string()).or_default() += 1;
            }
        }
        assert!(told.values().sum::<usize>() > 400 && told.len() >= 12, "they are of many kinds: {told:#?}");
    }
}

/// Any Rollout of any controller, but that no plugin's step waits.
fn rollout(random: &mut Rng) -> Value {
    fn any(random: &mut Rng, choices: &[Value]) -> Value {
        random.choice(choices).unwrap().clone()
    }
    let hashes = [json!(null), json!("a"), json!("b")];
    let counts = [json!(null), json!(0), json!(2), json!(4)];
    let strategy = any(random, &[json!({"canary": {}}), json!({"blueGreen": {}})]);
    let conditions = any(
        random,
        &[
            json!([]),
            json!([]),
            json!([{"type": "InvalidSpec", "message": "bad"}]),
            json!([{"type": "Progressing", "reason": "RolloutAborted", "message": "gone"}]),
            json!([{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "late"}]),
            json!([{"type": "Progressing", "reason": "NewReplicaSetAvailable", "message": "fine"}]),
            json!([{"type": "Available", "status": "True"}]),
        ],
    );
    let steps = json!([
        {"index": 0, "name": "phasegate/gate", "operation": "Run", "phase": "Successful", "message": "let in"},
        {"index": 1, "name": "phasegate/gate", "operation": "Run", "phase": "Running", "message": "elsewhere"},
        {"index": 0, "name": "phasegate/gate", "operation": "Abort", "phase": "Running", "message": "over"},
        {"index": 0, "name": "phasegate/gate", "operation": "Run", "phase": "Running"},
    ]);
    let observed = any(random, &[json!("7"), json!("7"), json!(7), json!("6"), json!("8"), json!("7f8"), json!(null)]);
    let phases = [json!(null), json!(null), json!("Healthy"), json!("Progressing"), json!("Paused"), json!("Degraded")];
    let status = json!({
        "observedGeneration": observed,
        "phase": any(random, &phases),
        "message": any(random, &[json!(null), json!(""), json!("so it is")]),
        "conditions": conditions,
        "pauseConditions": any(random, &[json!(null), json!(null), json!([]), json!([{"reason": "CanaryPauseStep"}])]),
        "currentStepIndex": 0,
        "currentPodHash": any(random, &hashes),
        "stableRS": any(random, &hashes),
        "canary": any(random, &[json!(null), json!({"stableRS": "a"}), json!({"stepPluginStatuses": steps})]),
        "blueGreen": any(random, &[json!(null), json!({"activeSelector": "a"})]),
        "replicas": any(random, &counts),
        "updatedReplicas": any(random, &counts),
        "availableReplicas": any(random, &counts),
        "workloadObservedGeneration": any(random, &[json!(null), json!("3"), json!("4")]),
    });
    let annotations = any(random, &[json!(null), json!({"rollout.argoproj.io/workload-generation": "3"})]);
    let workload = any(random, &[json!(null), json!(null), json!(null), json!({"name": "w"})]);
    let mut rollout = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "r", "generation": 7, "annotations": annotations},
        "spec": {
            "replicas": any(random, &counts), "strategy": strategy, "workloadRef": workload,
            "paused": any(random, &[json!(null), json!(null), json!(false), json!(true)]),
        },
        "status": any(random, &[json!(null), status.clone(), status.clone(), status.clone(), status]),
    });
    without_null(&mut rollout);
    rollout
}

/// As an API server sends it.
fn without_null(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(without_null);
    }
}

#[tokio::test]
async fn a_script_that_forgets_something_is_told_apart() {
    for (from, to, failed) in [
        ("local reason = waits_for()", "local reason = nil", "FAIL ours/testdata/progressing_held.yaml"),
        ("code = \"Suspended\"", "code = \"Progressing\"", "FAIL argo-cd/testdata/suspended_v1.0"),
        ("step.index == status.currentStepIndex", "true", "FAIL ours/testdata/progressing_afterAGateThatWas"),
        ("generation < obj.metadata.generation", "false", "FAIL argo-cd/testdata/progressing_newGeneration"),
        ("return health(\"Healthy\", \"\")", "return string.upper(\"x\")", "FAIL argo-cd/testdata/healthy_"),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("argoproj.io/Rollout");
        copy(&root().join(FOLDER), &folder).unwrap();
        let script = folder.join("health.lua");
        let text = fs::read_to_string(&script).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(script, text.replace(from, to)).unwrap();
        let played = judged(VERSIONS[0], &folder, &[]).await;
        assert_eq!(played.code, Some(1), "{from}: {played}");
        assert!(played.out.contains(failed), "{from}: {played}");
    }
}
