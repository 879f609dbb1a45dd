//! The SQL that a version brought along: the ConfigMap that its pod template names, in the Rollout's own namespace.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use schema_phases::Because;

use super::kube::Kubernetes;
use crate::ports::VersionSql;

#[async_trait]
impl VersionSql for Kubernetes {
    async fn files(&self, namespace: &str, config_map: &str) -> Result<BTreeMap<String, String>, Because> {
        let found: Option<ConfigMap> = self.get(namespace, config_map).await?;
        let absent = || {
            Because::NotThere(format!(
                "there is no ConfigMap {config_map} in namespace {namespace}; create it with the version's SQL, or remove \
                 the annotation statements.phasegate.dev"
            ))
        };
        Ok(found.ok_or_else(absent)?.data.unwrap_or_default())
    }
}
