//! The service behind a guard: every question is answered only to a caller who may ask about its namespace.

use std::sync::Arc;

use proto::step::v1::{
    AbortRequest, AbortResponse, Rollout, RunRequest, RunResponse, TerminateRequest, TerminateResponse,
    step_plugin_server::StepPlugin,
};
use tonic::{Request, Response, Status, async_trait, metadata::MetadataMap};

use super::callers::{Callers, Denied};
use crate::metrics::Metrics;

/// A service that looks who asks.
pub struct Guarded<S> {
    service: S,
    callers: Arc<Callers>,
    metrics: Arc<Metrics>,
}

impl<S> Guarded<S> {
    /// A guard before a service.
    pub const fn new(service: S, callers: Arc<Callers>, metrics: Arc<Metrics>) -> Self {
        Self { service, callers, metrics }
    }

    async fn admitted(&self, metadata: &MetadataMap, rollout: Option<&Rollout>) -> Result<(), Status> {
        let header = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let admitted = self.callers.admit(header).await;
        // Without a Rollout there is nothing to ask about, and the service says so itself.
        let namespace = rollout.map_or("", |rollout| rollout.namespace.as_str());
        let admitted = admitted.and_then(|caller| caller.may_ask_about(namespace));
        self.metrics.caller(&admitted);
        admitted.map_err(status)
    }
}

fn status(denied: Denied) -> Status {
    match denied {
        Denied::NoToken | Denied::BadToken { .. } => Status::unauthenticated(denied.to_string()),
        Denied::NotAllowed { .. } | Denied::OtherNamespace { .. } => Status::permission_denied(denied.to_string()),
        Denied::Unknown { .. } => Status::unavailable(denied.to_string()),
    }
}

#[async_trait]
impl<S: StepPlugin> StepPlugin for Guarded<S> {
    async fn run(&self, request: Request<RunRequest>) -> Result<Response<RunResponse>, Status> {
        self.admitted(request.metadata(), request.get_ref().rollout.as_ref()).await?;
        self.service.run(request).await
    }

    async fn terminate(&self, request: Request<TerminateRequest>) -> Result<Response<TerminateResponse>, Status> {
        self.admitted(request.metadata(), request.get_ref().rollout.as_ref()).await?;
        self.service.terminate(request).await
    }

    async fn abort(&self, request: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        self.admitted(request.metadata(), request.get_ref().rollout.as_ref()).await?;
        self.service.abort(request).await
    }
}
