//! The HTTP/JSON face, for the web metric of an AnalysisTemplate: `POST /v1/verdict`. Thin: it puts the question to the
//! same service as a step does.
//!
//! INVARIANT: every answer is JSON, and only a verdict has a status of 2xx. Argo's web metric counts a 200 whose body is
//! no JSON as a success, whatever the conditions say (argo-rollouts 1.10.2, metricproviders/webmetric).

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderValue, Method, Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use proto::step::v1::{Phase, Rollout, RunRequest, RunResponse, run_response::Outcome, step_plugin_server::StepPlugin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::callers::{Callers, Denied};
use crate::metrics::Metrics;

/// The longest question.
const LONGEST: usize = 64 * 1024;
/// Meaning of the fields of an answer; it changes if one of them changes its meaning.
const VERSION: u32 = 1;

/// A question, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Asked {
    /// The Rollout's namespace.
    namespace: String,
    /// The Rollout's name.
    rollout: String,
    /// The Rollout's UID, which owns the ReplicaSets.
    uid: String,
    /// The version that wants to be let in.
    pod_template_hash: String,
    /// The version that serves; empty when none does.
    #[serde(default)]
    stable_pod_template_hash: String,
    /// Only these databases; else all that the pod template names.
    databases: Option<BTreeSet<String>>,
}

/// An answer.
#[derive(Debug, Serialize)]
struct Told<'a> {
    version: u32,
    /// `proceed`, `wait`, `refuse` or `undecided`.
    verdict: &'a str,
    /// For people.
    message: &'a str,
    /// What it rests on, as a step keeps it.
    #[serde(skip_serializing_if = "Value::is_null")]
    status: Value,
}

/// The face over a service.
pub fn router<S: StepPlugin>(service: Arc<S>, callers: Arc<Callers>, metrics: Arc<Metrics>) -> Router {
    let ask = move |request: Request<Body>| {
        let (service, callers, metrics) = (Arc::clone(&service), Arc::clone(&callers), Arc::clone(&metrics));
        async move { answered(&*service, &callers, &metrics, request).await }
    };
    Router::new().route("/v1/verdict", any(ask))
}

/// Any other path.
pub async fn not_here() -> Response {
    problem(StatusCode::NOT_FOUND, "there is nothing here; ask with POST /v1/verdict")
}

async fn answered<S: StepPlugin>(
    service: &S,
    callers: &Callers,
    metrics: &Metrics,
    request: Request<Body>,
) -> Response {
    if request.method() != Method::POST {
        let mut refusal = problem(StatusCode::METHOD_NOT_ALLOWED, "ask with POST");
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return refusal;
    }
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let caller = callers.admit(authorization).await;
    let caller = match caller {
        Ok(caller) => caller,
        denied @ Err(_) => return refused(metrics, denied.map(|_| ())),
    };
    let Ok(body) = to_bytes(request.into_body(), LONGEST).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, &format!("the question is longer than {LONGEST} bytes"));
    };
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(cause) => {
            let cause: String = cause.to_string().chars().take(300).collect();
            return problem(StatusCode::BAD_REQUEST, &format!("the question cannot be read: {cause}"));
        }
    };
    let admitted = caller.may_ask_about(&asked.namespace);
    if admitted.is_err() {
        return refused(metrics, admitted);
    }
    metrics.caller(&Ok(()));
    match service.run(tonic::Request::new(question(asked))).await {
        Ok(response) => told(response.into_inner()),
        Err(status) => problem(StatusCode::BAD_REQUEST, status.message()),
    }
}

fn question(asked: Asked) -> RunRequest {
    let Asked { namespace, rollout, uid, pod_template_hash, stable_pod_template_hash, databases } = asked;
    // Its ReplicaSet is the version: no caller tells the gate what a version looks like.
    let rollout = Rollout {
        namespace,
        name: rollout,
        uid,
        template: None,
        stable_pod_hash: stable_pod_template_hash,
        canary_pod_hash: pod_template_hash,
        step_index: None,
    };
    let config = databases.map(|databases| serde_json::json!({"databases": databases}).to_string());
    RunRequest { rollout: Some(rollout), config: config.unwrap_or_default().into_bytes(), status: Vec::new() }
}

fn told(response: RunResponse) -> Response {
    let (verdict, message, status) = match &response.outcome {
        Some(Outcome::Result(result)) => {
            let verdict = match Phase::try_from(result.phase) {
                Ok(Phase::Successful) => "proceed",
                Ok(Phase::Running) => "wait",
                Ok(Phase::Failed) => "refuse",
                Ok(Phase::Unspecified) | Err(_) => "undecided",
            };
            (verdict, result.message.as_str(), serde_json::from_slice(&result.status).unwrap_or_default())
        }
        Some(Outcome::Undecided(undecided)) => ("undecided", undecided.message.as_str(), Value::Null),
        None => ("undecided", "the gate gave no answer", Value::Null),
    };
    json(StatusCode::OK, &Told { version: VERSION, verdict, message, status })
}

fn refused(metrics: &Metrics, denied: Result<(), Denied>) -> Response {
    metrics.caller(&denied);
    let Err(denied) = denied else { return problem(StatusCode::INTERNAL_SERVER_ERROR, "nothing was denied") };
    let code = match denied {
        Denied::NoToken | Denied::BadToken { .. } => StatusCode::UNAUTHORIZED,
        Denied::NotAllowed { .. } | Denied::OtherNamespace { .. } => StatusCode::FORBIDDEN,
        Denied::Unknown { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(code, &denied.to_string())
}

/// An error, in JSON as everything else.
pub(crate) fn problem(code: StatusCode, error: &str) -> Response {
    json(code, &serde_json::json!({"error": error}))
}

pub(crate) fn json(code: StatusCode, body: &impl Serialize) -> Response {
    // None of ours can fail; an empty object is the JSON that says nothing.
    let text = serde_json::to_string(body).unwrap_or_else(|_| "{}".to_owned());
    (code, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use proto::step::v1::Result as Decision;

    use super::*;

    #[tokio::test]
    async fn an_answer_that_is_none_and_a_phase_that_nobody_knows_are_undecided() {
        let of_phase = |phase| Some(Outcome::Result(Decision { phase, ..Decision::default() }));
        for (outcome, want) in [
            (None, "undecided"),
            (of_phase(0), "undecided"),
            (of_phase(99), "undecided"),
            (of_phase(Phase::Successful.into()), "proceed"),
        ] {
            let response = told(RunResponse { outcome });
            let body = to_bytes(response.into_body(), 4_096).await.unwrap();
            let said: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(said["verdict"], want, "{said}");
        }
    }
}
