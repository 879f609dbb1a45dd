//! Two apps on one database that are released at different speed, and a third outside of the cluster.

use crate::{
    delivery::{CHANGE, Delivery},
    init_gate::{gated, rights},
    shop::Shop,
};

const ROWS: u32 = 5_000;

/// A Deployment: no canary, so an init container asks the gate's question.
const MAILER: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: mailer}
spec:
  replicas: 2
  progressDeadlineSeconds: 604800
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector: {matchLabels: {app.kubernetes.io/name: mailer}}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: mailer
        database.phasegate.dev/customers: ""
      annotations:
        supports.phasegate.dev/customers: "SUPPORTS"
    spec:GATE
      containers:
      - name: mailer
        image: registry.example.com/customers:TAG
        env: [{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: customers-app, key: url}}}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: http}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
"#;

/// With that version of the mailer, and a report outside of the cluster that supports this.
fn beside(delivery: Delivery, mailer: &str, report: &str) -> Delivery {
    let consumers = format!("  engine: postgres\n  consumers: [{{name: report, supports: \"{report}\"}}]\n");
    let delivery = delivery.and("mailer.yaml", &gated(MAILER, "mailer", mailer)).and("rights.yaml", &rights("mailer"));
    delivery.with("phasegate.yaml", "  engine: postgres\n", &consumers)
}

#[tokio::test]
async fn two_apps_move_at_their_own_speed_and_the_slowest_of_all_who_use_the_database_decides_when_the_old_shape_goes()
{
    let shop = Shop::open("two-apps", ROWS).await;
    let expanded = |delivery: Delivery| delivery.with(CHANGE, "target: migrated", "target: expanded");
    shop.deliver("both at version 1", &beside(expanded(Delivery::example("1-expand")), "v1", "")).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;
    shop.change_is("expanded").await;

    shop.deliver("the mailer's version 2, too early", &beside(expanded(Delivery::example("1-expand")), "v2", "")).await;
    shop.init_container_waits("mailer").await;
    assert_eq!(shop.ready_pods("mailer").await.unwrap(), (2, 0), "version 1 serves on");

    shop.deliver("what it needs", &beside(Delivery::example("1-expand"), "v2", "")).await;
    shop.ready_pods_are("mailer", (0, 2)).await;

    let contract = |mailer, report| beside(Delivery::example("3-contract"), mailer, report);
    shop.deliver("version 2 of the other app", &beside(Delivery::example("2-canary"), "v2", "")).await;
    shop.rollout_is("Healthy").await;
    shop.deliver("contract, while the report needs the old shape", &contract("v2", "")).await;
    let said = shop.run_says("who blocks it", |line| line.contains("blocked by") && line.contains("report")).await;
    assert!(said.contains("needs pending..migrated"), "{said}");
    shop.change_is("migrated").await;

    shop.deliver("the report has followed", &contract("v2", "split-full-name")).await;
    shop.change_is("contracted").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}
