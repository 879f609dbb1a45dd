//! The Kubernetes API, asked without starting a program each time: scenarios wait by asking often.

use kube::{
    Client,
    api::{
        Api as Objects, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, LogParams, Patch,
        PatchParams, PostParams, Request,
    },
};
use serde_json::{Value, json};

/// A client of the cluster that KUBECONFIG names. Each test has one of its own, as each has its own runtime.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Api")
    }
}

/// Where a kind is served.
fn resource(kind: &str) -> ApiResource {
    let (group, version, kind) = match kind {
        "application" => ("argoproj.io", "v1alpha1", "Application"),
        "analysisrun" => ("argoproj.io", "v1alpha1", "AnalysisRun"),
        "rollout" => ("argoproj.io", "v1alpha1", "Rollout"),
        "configmap" => ("", "v1", "ConfigMap"),
        "namespace" => ("", "v1", "Namespace"),
        "pod" => ("", "v1", "Pod"),
        "secret" => ("", "v1", "Secret"),
        "service" => ("", "v1", "Service"),
        "cronjob" => ("batch", "v1", "CronJob"),
        "job" => ("batch", "v1", "Job"),
        "event" => ("", "v1", "Event"),
        "statefulset" => ("apps", "v1", "StatefulSet"),
        "deployment" => ("apps", "v1", "Deployment"),
        "replicaset" => ("apps", "v1", "ReplicaSet"),
        other => panic!("say here where a {other} is served"),
    };
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

impl Api {
    /// Of the cluster that KUBECONFIG names.
    pub(crate) async fn new() -> Self {
        let client = Client::try_default().await.expect("KUBECONFIG names a cluster; tests/cluster/run sets it");
        Self { client }
    }

    fn objects(&self, kind: &str, namespace: &str) -> Objects<DynamicObject> {
        Objects::namespaced_with(self.client.clone(), namespace, &resource(kind))
    }

    /// What an object looks like now.
    pub(crate) async fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value, String> {
        let found = self.anywhere(kind, namespace).get(name).await.map_err(|error| error.to_string())?;
        serde_json::to_value(found).map_err(|error| error.to_string())
    }

    /// What those with these labels look like now.
    pub(crate) async fn list(&self, kind: &str, namespace: &str, labels: &str) -> Result<Vec<Value>, String> {
        let wanted = ListParams::default().labels(labels);
        let found = self.objects(kind, namespace).list(&wanted).await.map_err(|error| error.to_string())?;
        found.items.into_iter().map(|item| serde_json::to_value(item).map_err(|error| error.to_string())).collect()
    }

    /// Changes an object: a merge patch.
    pub(crate) async fn patch(&self, kind: &str, namespace: &str, name: &str, patch: &Value) -> Result<(), String> {
        let patched = self.objects(kind, namespace).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Applies an object, whoever else has a say in its fields.
    pub(crate) async fn apply(&self, object: &Value) {
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let (kind, metadata) = (text(&object["kind"]).to_lowercase(), &object["metadata"]);
        let objects = self.anywhere(&kind, &text(&metadata["namespace"]));
        let ours = PatchParams::apply("tests").force();
        let applied = objects.patch(&text(&metadata["name"]), &ours, &Patch::Apply(object)).await;
        applied.unwrap_or_else(|error| panic!("{kind} {}: {error}", metadata["name"]));
    }

    /// Asks for an object's end, if it is there, and does not wait for it.
    pub(crate) async fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<(), String> {
        match self.anywhere(kind, namespace).delete(name, &DeleteParams::background()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(|_| ()).map_err(|error| error.to_string()),
        }
    }

    /// Of a namespace, or of the cluster.
    fn anywhere(&self, kind: &str, namespace: &str) -> Objects<DynamicObject> {
        if namespace.is_empty() {
            Objects::all_with(self.client.clone(), &resource(kind))
        } else {
            self.objects(kind, namespace)
        }
    }

    /// Sets one annotation.
    pub(crate) async fn annotate(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        key: &str,
        value: &str,
    ) -> Result<(), String> {
        self.patch(kind, namespace, name, &json!({"metadata": {"annotations": {key: value}}})).await
    }

    /// What a container has said (without a name, the only one of its pod); nothing from one that has not started.
    pub(crate) async fn logs(&self, namespace: &str, pod: &str, container: Option<&str>) -> Result<String, String> {
        let pods = Objects::<k8s_openapi::api::core::v1::Pod>::namespaced(self.client.clone(), namespace);
        let wanted = LogParams { container: container.map(str::to_owned), ..LogParams::default() };
        match pods.logs(pod, &wanted).await {
            Ok(said) => Ok(said),
            Err(kube::Error::Api(status)) if status.code == 400 || status.code == 404 => Ok(String::new()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// A page that a pod serves.
    pub(crate) async fn page(&self, namespace: &str, pod: &str, page: &str) -> Result<String, String> {
        let proxy = Request::new(format!("/api/v1/namespaces/{namespace}/pods/{pod}/proxy"));
        let request = proxy.get(page, &kube::api::GetParams::default()).map_err(|error| error.to_string())?;
        self.client.request_text(request).await.map_err(|error| error.to_string())
    }

    /// What a service answers to a body it is sent.
    pub(crate) async fn asked(&self, namespace: &str, service: &str, page: &str, body: &str) -> Result<String, String> {
        let to = Request::new(format!("/api/v1/namespaces/{namespace}/services/{service}/proxy/{page}"));
        let request = to.create(&PostParams::default(), body.into()).map_err(|error| error.to_string())?;
        self.client.request_text(request).await.map_err(|error| error.to_string())
    }
}
