//! `phasegate-rollouts serve`: the gate for a whole cluster, in a process of its own. It holds the credentials of the
//! databases, so that the Argo Rollouts controller needs none.
//!
//! Two faces over one service: gRPC for the step plugin, HTTP/JSON for an AnalysisTemplate. Both speak TLS on one port,
//! and answer only [`callers`] that the API server knows and that may ask about the namespace in question. It keeps
//! nothing that matters: any number of copies may run.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header::CONTENT_TYPE},
    middleware::{Next, from_fn},
    response::Response,
};
use proto::step::v1::step_plugin_server::{StepPlugin, StepPluginServer};
use tokio::time::timeout;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::metrics::Metrics;
use callers::Callers;
use guard::Guarded;

pub mod callers;
pub mod certificate;
pub mod guard;
pub mod listen;
pub mod probes;
pub mod token;
pub mod verdict;

/// The longest question a plugin sends: labels and annotations of a pod template, a config and a status.
const LONGEST: usize = 1024 * 1024;
/// From the head of a request to its answer; whoever sends more slowly than that is not answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// The two faces, health and reflection, as one router. Health and reflection answer everybody.
///
/// # Errors
/// When the description of the service that was compiled in cannot be read.
pub async fn router<S: StepPlugin + Clone>(
    service: S,
    callers: Arc<Callers>,
    metrics: Arc<Metrics>,
) -> Result<(Router, HealthReporter), tonic_reflection::server::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("", ServingStatus::Serving).await;
    health.set_serving::<StepPluginServer<S>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let guarded = Guarded::new(service.clone(), Arc::clone(&callers), Arc::clone(&metrics));
    let step = StepPluginServer::new(guarded).max_decoding_message_size(LONGEST);
    let grpc = Router::new()
        .route_service("/phasegate.step.v1.StepPlugin/{method}", step)
        .route_service("/grpc.health.v1.Health/{method}", health_service)
        .route_service("/grpc.reflection.v1.ServerReflection/{method}", reflection)
        .layer(from_fn(only_grpc));
    let router = Router::new()
        .merge(grpc)
        .merge(verdict::router(Arc::new(service), callers, metrics))
        .fallback(verdict::not_here)
        .layer(from_fn(in_time));
    Ok((router, health))
}

/// gRPC reports its errors with a status of 200. Whoever does not speak it would take that for a success.
async fn only_grpc(request: Request<Body>, next: Next) -> Response {
    let spoken =
        request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if spoken {
        next.run(request).await
    } else {
        verdict::problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this is a gRPC method; ask with POST /v1/verdict")
    }
}

async fn in_time(request: Request<Body>, next: Next) -> Response {
    let late = || verdict::problem(StatusCode::REQUEST_TIMEOUT, "the question took too long to arrive");
    timeout(PATIENCE, next.run(request)).await.unwrap_or_else(|_| late())
}
