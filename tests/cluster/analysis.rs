//! A canary whose mistakes only Prometheus sees.

use serde_json::json;

use crate::{delivery::Delivery, shop::Shop};

const ROWS: u32 = 5_000;

/// Compares the canary's answers with what is bearable.
const TEMPLATE: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: error-rate}
spec:
  args: [{name: hash}]
  metrics:
  - name: error-rate
    initialDelay: 12s
    interval: 4s
    count: 5
    inconclusiveLimit: 4
    successCondition: len(result) > 0 && result[0] < 0.05
    failureCondition: len(result) > 0 && result[0] >= 0.05
    provider:
      prometheus:
        address: http://prometheus.phasegate-e2e.svc.cluster.local:9090
        query: |
          (sum(rate(customers_answers_total{pod_template_hash="{{args.hash}}",code="500"}[20s])) or vector(0))
          / sum(rate(customers_answers_total{pod_template_hash="{{args.hash}}"}[20s]))
"#;

/// How Prometheus finds the pods.
const METRICS: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: metrics}
spec:
  clusterIP: None
  selector: {app.kubernetes.io/name: customers}
  ports: [{port: 8080}]
"#;

/// With an analysis in the place of the first pause.
fn analysed(delivery: Delivery) -> Delivery {
    delivery.and("analysis.yaml", TEMPLATE).and("metrics.yaml", METRICS).edited(|rollout| {
        let hash = json!({"fieldRef": {"fieldPath": "metadata.labels['rollouts-pod-template-hash']"}});
        let environment = &mut rollout["spec"]["template"]["spec"]["containers"][0]["env"];
        environment.as_array_mut().unwrap().push(json!({"name": "POD_TEMPLATE_HASH", "valueFrom": hash}));
        let steps = rollout["spec"]["strategy"]["canary"]["steps"].as_array_mut().unwrap();
        *steps.iter_mut().find(|step| step.get("pause").is_some()).unwrap() = json!({"analysis": {
            "templates": [{"templateName": "error-rate"}],
            "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
        }});
    })
}

#[tokio::test]
async fn a_canary_aborted_by_a_failing_analysis_leaves_a_schema_that_serves_the_old_version_and_the_next_try() {
    let shop = Shop::serving("analysis", ROWS, &analysed(Delivery::example("1-expand"))).await;
    shop.change_is("migrated").await;

    shop.deliver("version 2, with a mistake", &analysed(Delivery::example("2-canary").environment("FAULTS", "60")))
        .await;
    shop.gate_says("lets version 2 in: the schema is ready", |step| step.phase == "Successful").await;
    let aborted = shop.rollout_is("Degraded").await;
    let message = aborted["status"]["message"].as_str().unwrap_or("");
    shop.tell(format_args!("rollout: {message}"));
    assert!(message.contains("aborted") && message.contains("error-rate"), "{message}");
    shop.no_pods_of("v2").await;
    shop.change_is("migrated").await;
    let failed = shop.figures("figures").await.unwrap().failed;
    shop.users_go_on(100).await;
    assert_eq!(shop.figures("figures").await.unwrap().failed, failed, "version 1 fails nobody");

    shop.deliver("version 2, mended", &analysed(Delivery::example("2-canary"))).await;
    shop.rollout_is("Healthy").await;
    shop.served_by("v2", 50).await;
    let figures = shop.account().await;
    assert_eq!(figures.lost, 0, "{:#?}", figures.why);
    assert_eq!(figures.failed, failed, "nobody but the mistake failed anybody: {:#?}", figures.why);
    assert!(figures.why.iter().all(|why| why.contains("a mistake of its own")), "{:#?}", figures.why);
    shop.line.note("failed: the mistake that the analysis found".to_owned());
    shop.close().await;
}
