//! The plain HTTP port of the cluster's own: is it alive, is it ready, what has it counted. No secrets, no questions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};

use super::verdict::json;
use crate::metrics::Metrics;

/// Whether new questions should be sent here.
#[derive(Debug, Default)]
pub struct Ready(AtomicBool);

impl Ready {
    /// Says so.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// `/healthz`, `/readyz` and `/metrics`. A database or an API that is away makes nobody unready: the answer is then
/// Undecided here and in every other copy.
pub fn router(ready: Arc<Ready>, metrics: Arc<Metrics>) -> Router {
    let readyz = move || async move {
        if ready.get() { state(StatusCode::OK, "ready") } else { state(StatusCode::SERVICE_UNAVAILABLE, "not ready") }
    };
    Router::new()
        .route("/healthz", get(|| async { state(StatusCode::OK, "alive") }))
        .route("/readyz", get(readyz))
        .merge(metrics_router(metrics))
}

/// `/metrics` alone, for the plugin's process.
pub fn metrics_router(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(move || async move { exposed(&metrics) }))
}

/// In JSON on purpose: Argo's web metric takes any other text with a 200 for a success (1.10.2, webmetric.go).
fn state(code: StatusCode, state: &str) -> Response {
    json(code, &serde_json::json!({"status": state}))
}

fn exposed(metrics: &Metrics) -> Response {
    match metrics.text() {
        Some(text) => ([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response(),
        None => state(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written"),
    }
}
