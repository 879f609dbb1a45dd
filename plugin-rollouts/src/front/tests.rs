use std::sync::Mutex;

use proto::step::v1::{self as wire, AbortResponse, RunRequest, RunResponse, TerminateResponse};
use tonic::Response;

use super::*;
use crate::step::rollout::tests::{argument, rollout_value};

/// A service that answers as told and remembers what it was asked.
#[derive(Default)]
struct Fake {
    run: Mutex<Option<Result<RunResponse, Status>>>,
    asked: Mutex<Vec<RunRequest>>,
}

#[tonic::async_trait]
impl StepPlugin for Fake {
    async fn run(&self, request: Request<RunRequest>) -> Result<Response<RunResponse>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        self.run.lock().unwrap().take().unwrap().map(Response::new)
    }

    async fn terminate(&self, request: Request<TerminateRequest>) -> Result<Response<TerminateResponse>, Status> {
        let name = request.into_inner().rollout.unwrap().name;
        Ok(Response::new(TerminateResponse { result: Some(convert::nothing_to_undo(&format!("terminated {name}"))) }))
    }

    async fn abort(&self, request: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        let name = request.into_inner().rollout.unwrap().name;
        Ok(Response::new(AbortResponse { result: Some(convert::nothing_to_undo(&format!("aborted {name}"))) }))
    }
}

fn call(method: &str, argument: Value) -> Call {
    Call { plugin: PLUGIN_SET.to_owned(), method: method.to_owned(), argument }
}

async fn answered(front: &Front<Fake>, method: &str, argument: Value) -> Value {
    front.call(call(method, argument)).await.unwrap().value
}

async fn run(answer: Result<RunResponse, Status>) -> (Value, Vec<RunRequest>) {
    let front = Front::new(Fake { run: Mutex::new(Some(answer)), ..Fake::default() });
    let value = answered(&front, "Run", argument(rollout_value(), "{}")).await;
    (value, front.service.asked.into_inner().unwrap())
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

fn result(phase: wire::Phase) -> RunResponse {
    let result = wire::Result {
        phase: phase.into(),
        message: "why".to_owned(),
        requeue_after_seconds: 15,
        status: b"{}".to_vec(),
    };
    RunResponse { outcome: Some(wire::run_response::Outcome::Result(result)) }
}

#[tokio::test]
async fn only_argos_plugin_set_is_there_with_its_five_methods() {
    let front = Front::new(Fake::default());
    assert_eq!(front.methods("RpcStepPlugin"), Some(&METHODS[..]));
    assert_eq!(front.methods("RpcMetricPlugin"), None);
    assert!(front.call(call("Nope", Value::nil())).await.is_err());
}

#[tokio::test]
async fn init_never_fails_and_needs_nothing() {
    let front = Front::new(Fake::default());
    assert_eq!(text(&answered(&front, "InitPlugin", Value::nil()).await, &["ErrorString"]), "");
    assert_eq!(answered(&front, "Type", Value::nil()).await.as_str(), Some("phasegate/gate"));
}

#[tokio::test]
async fn a_run_is_asked_and_answered_in_argos_words() {
    let (value, asked) = run(Ok(result(wire::Phase::Running))).await;
    assert_eq!(text(&value, &["Result", "Phase"]), "Running");
    assert_eq!(text(&value, &["Result", "Message"]), "why");
    assert_eq!(value.at(&["Result", "RequeueAfter"]).and_then(Value::as_i64), Some(15_000_000_000));
    assert_eq!(value.at(&["Result", "Status"]).and_then(Value::as_bytes), Some(&b"{}"[..]));
    assert_eq!(value.field("Error"), None);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].rollout.as_ref().unwrap().stable_pod_hash, "66c5f");
    assert_eq!(asked[0].config, b"{}");
}

#[tokio::test]
async fn what_is_not_decided_is_an_rpc_error_and_never_the_phase_error() {
    let unspecified = result(wire::Phase::Unspecified);
    let undecided = wire::Undecided { message: "undecided: the ledger is out of reach".to_owned() };
    let undecided = RunResponse { outcome: Some(wire::run_response::Outcome::Undecided(undecided)) };
    let rows = [
        (Ok(undecided), "undecided: the ledger is out of reach"),
        (Ok(unspecified), "the phase 0"),
        (Ok(RunResponse { outcome: None }), "no `outcome`"),
        (Err(Status::unavailable("no gate there")), "no gate there"),
    ];
    for (answer, want) in rows {
        let (value, _) = run(answer).await;
        let error = text(&value, &["Error", "ErrorString"]);
        assert!(error.contains(want) && error.starts_with("undecided: "), "{error}");
        assert_eq!(value.field("Result"), None, "the status that Argo has is kept");
    }
}

#[tokio::test]
async fn terminate_and_abort_are_answered_at_once() {
    let front = Front::new(Fake::default());
    for (method, want) in [("Terminate", "terminated shop"), ("Abort", "aborted shop")] {
        let value = answered(&front, method, argument(rollout_value(), "")).await;
        assert_eq!((text(&value, &["Result", "Phase"]), text(&value, &["Result", "Message"])), ("Successful", want));
    }
}

#[tokio::test]
async fn an_argument_that_is_none_is_an_rpc_error() {
    let front = Front::new(Fake::default());
    for method in ["Run", "Terminate", "Abort"] {
        for odd in [Value::nil(), Value::Int(1), argument(Value::nil(), ""), Value::record("RunArgs", [])] {
            let value = answered(&front, method, odd).await;
            let error = text(&value, &["Error", "ErrorString"]);
            assert!(error.contains("Argo Rollouts sent no Rollout"), "{method}: {error}");
        }
    }
    assert!(front.service.asked.lock().unwrap().is_empty());
}
