//! Two apps on one database that are released at different speed, and a third outside of the cluster.

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{SOON, Shop},
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
    spec:
      serviceAccountName: mailer
      initContainers:
      - name: phasegate
        image: ghcr.io/phasegate/phasegate:VERSION
        args: [check, --database, customers, --supports, "SUPPORTS", --wait, --pod-aware]
        env:
        - {name: PHASEGATE_DATABASE_URL, valueFrom: {secretKeyRef: {name: customers-reader, key: url}}}
        - {name: PHASEGATE_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
      containers:
      - name: mailer
        image: registry.example.com/customers:TAG
        env: [{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: customers-app, key: url}}}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: http}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: mailer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: mailer}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: mailer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: mailer}
subjects: [{kind: ServiceAccount, name: mailer}]
"#;

/// With that version of the mailer, and a report outside of the cluster that supports this.
fn beside(delivery: Delivery, mailer: &str, report: &str) -> Delivery {
    let supports = if mailer == "v2" { "split-full-name" } else { "" };
    let manifest =
        MAILER.replace("SUPPORTS", supports).replace("TAG", mailer).replace("VERSION", env!("CARGO_PKG_VERSION"));
    let consumers = format!("  engine: postgres\n  consumers: [{{name: report, supports: \"{report}\"}}]\n");
    delivery.and("mailer.yaml", &manifest).with("phasegate.yaml", "  engine: postgres\n", &consumers)
}

/// Pods of the mailer of that version that serve.
async fn mailers(shop: &Shop, version: &str) -> usize {
    let image = format!("registry.example.com/customers:{version}");
    let pods = shop.api.list("pod", &shop.namespace, "app.kubernetes.io/name=mailer").await.unwrap();
    let ready = |pod: &&serde_json::Value| {
        pod["spec"]["containers"][0]["image"] == image && pod["status"]["containerStatuses"][0]["ready"] == true
    };
    pods.iter().filter(ready).count()
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
    until("the init container holds it", SOON, async || {
        let pods = shop.api.list("pod", &shop.namespace, "app.kubernetes.io/name=mailer").await?;
        for pod in &pods {
            let said = shop.container_said(pod["metadata"]["name"].as_str().unwrap_or(""), "phasegate").await?;
            if said.contains("split-full-name is expanded") {
                shop.tell(format_args!("init container: {}", said.lines().last().unwrap_or("")));
                return Ok(());
            }
        }
        Err(format!("{} pods, none says what it waits for", pods.len()))
    })
    .await;
    assert_eq!((mailers(&shop, "v1").await, mailers(&shop, "v2").await), (2, 0), "version 1 serves on");

    shop.deliver("what it needs", &beside(Delivery::example("1-expand"), "v2", "")).await;
    until("the mailer is at version 2", SOON, async || {
        let ready = (mailers(&shop, "v1").await, mailers(&shop, "v2").await);
        if ready == (0, 2) { Ok(()) } else { Err(format!("{ready:?}")) }
    })
    .await;

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
