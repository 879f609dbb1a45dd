//! The tonic service `StepPlugin` over the gate.

use std::sync::Arc;

use proto::step::v1::{
    AbortRequest, AbortResponse, RunRequest, RunResponse, TerminateRequest, TerminateResponse,
    step_plugin_server::StepPlugin,
};
use tonic::{Request, Response, Status, async_trait};
use tracing::Instrument;

use super::convert::{self, BadMessage};
use crate::{
    gate::{Answer, Gate, Question},
    step::{
        config,
        report::{Report, report, unasked},
        rollout::{AskingRollout, StepCall},
        status::StepStatus,
    },
};

/// Answers step calls.
#[derive(Clone)]
pub struct StepService {
    gate: Arc<Gate>,
}

impl StepService {
    /// A service that asks this gate.
    pub const fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }

    async fn answer(&self, call: StepCall) -> Report {
        let StepCall { rollout, config, status } = call;
        let config = match config::read(&config) {
            Ok(config) => config,
            Err(bad) => return decided(&rollout, unasked(&bad), None),
        };
        let hint = StepStatus::read(&status);
        let question = Question { rollout, only: config.databases.clone() };
        match self.gate.ask(&question).await {
            Ok(answer) => {
                let sight = Sight::of(&answer);
                decided(&question.rollout, report(answer, &question.rollout, &config, hint.as_ref()), Some(sight))
            }
            Err(why) => decided(&question.rollout, unasked(&why), None),
        }
    }
}

/// The fields of a decision's event.
struct Sight {
    reasons: String,
    live: String,
    stable: String,
    canary: String,
}

impl Sight {
    fn of(answer: &Answer) -> Self {
        let reasons: Vec<&str> = answer.verdict.reasons().iter().map(schema_phases::Reason::as_str).collect();
        let entries = answer.view.databases.iter().filter_map(|database| database.ledger.as_ref());
        let changes = entries.flat_map(|ledger| &ledger.changes);
        // All that holds a canary is among the latest; a ledger of years must not fill the log.
        let live: Vec<String> =
            changes.rev().take(8).map(|entry| format!("{}={}", entry.profile.name, entry.span)).collect();
        Self {
            reasons: reasons.join(","),
            live: live.join(","),
            stable: answer.view.stable.clone().unwrap_or_default(),
            canary: answer.view.canary.clone(),
        }
    }
}

/// Tells the operator, once a decision.
fn decided(rollout: &AskingRollout, report: Report, sight: Option<Sight>) -> Report {
    let sight = sight.unwrap_or(Sight {
        reasons: "unasked".to_owned(),
        live: String::new(),
        stable: String::new(),
        canary: String::new(),
    });
    tracing::info!(
        rollout = rollout.name,
        namespace = rollout.namespace,
        step = rollout.step_index.unwrap_or_default(),
        verdict = report.as_str(),
        reason = sight.reasons,
        live = sight.live,
        stable = sight.stable,
        canary = sight.canary,
        told = report.message(),
        "decided"
    );
    report
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn bad(message: BadMessage) -> Status {
    Status::invalid_argument(message.to_string())
}

#[async_trait]
impl StepPlugin for StepService {
    async fn run(&self, request: Request<RunRequest>) -> Result<Response<RunResponse>, Status> {
        let call = convert::step_call(request.into_inner()).map_err(bad)?;
        let span = tracing::debug_span!("run", rollout = call.rollout.name, namespace = call.rollout.namespace);
        let report = self.answer(call).instrument(span).await;
        Ok(Response::new(convert::run_response(report)))
    }

    async fn terminate(&self, request: Request<TerminateRequest>) -> Result<Response<TerminateResponse>, Status> {
        let rollout = convert::rollout_from_wire(request.into_inner().rollout).map_err(bad)?;
        tracing::info!(rollout = rollout.name, namespace = rollout.namespace, "terminated");
        let message = "promoted past the gate; the schema was not touched by it, and moves only as its own rules allow";
        Ok(Response::new(TerminateResponse { result: Some(convert::nothing_to_undo(message)) }))
    }

    async fn abort(&self, request: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        let rollout = convert::rollout_from_wire(request.into_inner().rollout).map_err(bad)?;
        tracing::info!(rollout = rollout.name, namespace = rollout.namespace, "aborted");
        let message = "aborted; a gate has nothing to undo, and the schema stays where every live version can work";
        Ok(Response::new(AbortResponse { result: Some(convert::nothing_to_undo(message)) }))
    }
}
