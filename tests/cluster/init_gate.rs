//! What has no canary: an init container asks the gate's question, for a StatefulSet and for a Job.

use serde_json::Value;

use crate::{
    admin::has,
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{SOON, Shop},
};

const ROWS: u32 = 5_000;

/// What a pod template needs to be held by the gate.
const GATE: &str = r#"
      serviceAccountName: WHO
      initContainers:
      - name: phasegate
        image: ghcr.io/phasegate/phasegate:VERSION
        args: [check, --database, customers, --supports, "SUPPORTS", --wait, --pod-aware]
        env:
        - {name: PHASEGATE_DATABASE_URL, valueFrom: {secretKeyRef: {name: customers-reader, key: url}}}
        - {name: PHASEGATE_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}"#;

/// Which pods of its own are ready, it asks the API with these.
const RIGHTS: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: WHO}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: WHO}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: WHO}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: WHO}
subjects: [{kind: ServiceAccount, name: WHO}]
"#;

/// A manifest with the gate in the place of GATE, for an app of that name in that version.
pub(crate) fn gated(manifest: &str, name: &str, version: &str) -> String {
    let supports = if version == "v2" { "split-full-name" } else { "" };
    let text = manifest.replace("GATE", GATE).replace("SUPPORTS", supports).replace("TAG", version);
    text.replace("WHO", name).replace("VERSION", env!("CARGO_PKG_VERSION"))
}

/// The rights that such an app's gate needs.
pub(crate) fn rights(name: &str) -> String {
    RIGHTS.replace("WHO", name)
}

const STATEFUL_SET: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: archive}
spec:
  replicas: 2
  serviceName: archive
  selector: {matchLabels: {app.kubernetes.io/name: archive}}
  template:
    metadata:
      labels: {app.kubernetes.io/name: archive, database.phasegate.dev/customers: ""}
      annotations: {supports.phasegate.dev/customers: "SUPPORTS"}
    spec:GATE
      terminationGracePeriodSeconds: 1
      containers:
      - name: archive
        image: registry.example.com/customers:TAG
        env: [{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: customers-app, key: url}}}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: http}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
"#;

/// Built for the new shape: it fails unless every row has it. It is not tried again.
const JOB: &str = r#"
apiVersion: batch/v1
kind: Job
metadata: {name: nightly-v2}
spec:
  backoffLimit: 0
  template:
    metadata:
      labels: {app.kubernetes.io/name: nightly, database.phasegate.dev/customers: ""}
      annotations: {supports.phasegate.dev/customers: "SUPPORTS"}
    spec:GATE
      restartPolicy: Never
      containers:
      - name: nightly
        image: docker.io/local/postgres:15
        env: [{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: customers-app, key: url}}}]
        command: [psql, $(DATABASE_URL), -v, ON_ERROR_STOP=1, -c]
        args: ["SELECT 1 / (count(*) = 0)::int FROM customers WHERE first_name IS NULL OR last_name IS NULL"]
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
"#;

/// With that version of the archive, and with version 2 the Job as well.
fn beside(delivery: Delivery, version: &str) -> Delivery {
    let archive = gated(STATEFUL_SET, "archive", version);
    let delivery = delivery.and("rights.yaml", &rights("archive")).and("archive.yaml", &archive);
    if version == "v2" { delivery.and("nightly.yaml", &gated(JOB, "archive", version)) } else { delivery }
}

impl Shop {
    /// Waits until the init container of a pod of that name says what it waits for.
    pub(crate) async fn init_container_waits(&self, name: &str) {
        until(&format!("the init container of {name} waits"), SOON, async || {
            let pods = self.api.list("pod", &self.namespace, &format!("app.kubernetes.io/name={name}")).await?;
            for pod in &pods {
                let said = self.container_said(pod["metadata"]["name"].as_str().unwrap_or(""), "phasegate").await?;
                if let Some(line) = said.lines().find(|line| line.contains("split-full-name is expanded")) {
                    self.tell(format_args!("init container of {name}: {line}"));
                    return Ok(());
                }
            }
            Err(format!("{} pods, none says what it waits for", pods.len()))
        })
        .await;
    }

    /// How many pods of that name are ready, by version.
    pub(crate) async fn ready_pods(&self, name: &str) -> Result<(usize, usize), String> {
        let pods = self.api.list("pod", &self.namespace, &format!("app.kubernetes.io/name={name}")).await?;
        let ready = |version: &str| {
            let image = format!("registry.example.com/customers:{version}");
            let serves = |pod: &&Value| {
                pod["spec"]["containers"][0]["image"] == image && pod["status"]["containerStatuses"][0]["ready"] == true
            };
            pods.iter().filter(serves).count()
        };
        Ok((ready("v1"), ready("v2")))
    }

    /// Waits until so many of them are ready.
    pub(crate) async fn ready_pods_are(&self, name: &str, wanted: (usize, usize)) {
        until(&format!("{wanted:?} of {name} are ready"), SOON, async || {
            let ready = self.ready_pods(name).await?;
            if ready == wanted { Ok(()) } else { Err(format!("{ready:?}")) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_statefulset_and_a_job_are_held_by_their_init_container_until_the_schema_is_ready() {
    let expanded = |delivery: Delivery| delivery.with(CHANGE, "target: migrated", "target: expanded");
    let first = beside(expanded(Delivery::example("1-expand")), "v1");
    let shop = Shop::serving("init-gate", ROWS, &first).await;
    shop.change_is("expanded").await;
    shop.ready_pods_are("archive", (2, 0)).await;

    shop.deliver("version 2 of both, too early", &beside(expanded(Delivery::example("1-expand")), "v2")).await;
    shop.init_container_waits("archive").await;
    shop.init_container_waits("nightly").await;
    assert_eq!(
        shop.ready_pods("archive").await.unwrap(),
        (1, 0),
        "one is held, and a StatefulSet replaces no other meanwhile"
    );
    let job = shop.look("job", "nightly-v2").await.unwrap();
    assert!(!has(&job, "Complete") && !has(&job, "Failed"), "{}", job["status"]);

    shop.deliver("what they need", &beside(Delivery::example("1-expand"), "v2")).await;
    shop.change_is("migrated").await;
    shop.ready_pods_are("archive", (0, 2)).await;
    until("the Job is complete", SOON, async || {
        let job = shop.look("job", "nightly-v2").await?;
        if has(&job, "Complete") { Ok(()) } else { Err(job["status"].to_string()) }
    })
    .await;
    shop.users_go_on(50).await;
    shop.nothing_failed(ROWS).await;
    shop.close().await;
}
