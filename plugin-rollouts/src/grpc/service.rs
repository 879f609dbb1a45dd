//! The tonic service `StepPlugin` over the gate.

use std::sync::Arc;

use phase_ledger::LedgerState;
use proto::step::v1::{
    AbortRequest, AbortResponse, RunRequest, RunResponse, TerminateRequest, TerminateResponse,
    step_plugin_server::StepPlugin,
};
use tokio::time::Instant;
use tonic::{Request, Response, Status, async_trait};
use tracing::Instrument;

use super::convert::{self, BadMessage};
use crate::{
    announce::{Announcer, Decision, Silent, Teller},
    gate::{Answer, AskingRollout, Gate, Question},
    metrics::Metrics,
    step::{
        config,
        report::{Report, report, unasked},
        rollout::StepCall,
        status::StepStatus,
    },
};

/// Answers step calls.
#[derive(Clone)]
pub struct StepService {
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    teller: Arc<Teller>,
}

impl StepService {
    /// A service that asks this gate, and counts.
    pub fn new(gate: Arc<Gate>, metrics: Arc<Metrics>) -> Self {
        Self { gate, metrics, teller: Arc::new(Teller::new(Arc::new(Silent))) }
    }

    /// The same service, which also tells people in events.
    #[must_use]
    pub fn with_events(self, announcer: Arc<dyn Announcer>) -> Self {
        Self { teller: Arc::new(Teller::new(announcer)), ..self }
    }

    /// Forgets what is idle, and counts what is not. To be called now and then.
    pub fn tidy(&self) {
        self.gate.tidy();
        self.teller.tidy();
        self.metrics.ledgers_open(self.gate.open_ledgers());
        self.metrics.tidy();
    }

    async fn answer(&self, call: StepCall) -> Report {
        let StepCall { rollout, config, status } = call;
        let began = Instant::now();
        let config = match config::read(&config) {
            Ok(config) => config,
            Err(bad) => return self.decided(&rollout, unasked(&bad), None, began),
        };
        let hint = StepStatus::read(&status);
        let question = Question { rollout, config: config.clone() };
        match self.gate.ask(&question).await {
            Ok(answer) => {
                let mut sight = Sight::of(&answer);
                let (overdue, at) = (answer.view.overdue, answer.view.at);
                let report = report(answer, &question.rollout, &config, hint.as_ref());
                let decision = Decision {
                    verdict: report.as_str(),
                    reasons: &sight.reasons,
                    overdue,
                    message: report.message(),
                    at,
                };
                sight.news = self.teller.tell(&question.rollout, decision, hint.as_ref());
                self.decided(&question.rollout, report, Some(sight), began)
            }
            Err(why) => self.decided(&question.rollout, unasked(&why), None, began),
        }
    }

    fn decided(&self, rollout: &AskingRollout, report: Report, sight: Option<Sight>, began: Instant) -> Report {
        let reasons = sight.as_ref().map_or(&["unasked"][..], |sight| &sight.reasons);
        self.metrics.decided(rollout, report.as_str(), reasons.iter().copied(), began.elapsed());
        decided(rollout, report, sight)
    }
}

/// The fields of a decision's event.
struct Sight {
    /// Whether it is another than this step's last.
    news: bool,
    reasons: Vec<&'static str>,
    ledgers: Vec<Arc<LedgerState>>,
    stable: String,
    canary: String,
}

impl Sight {
    fn of(answer: &Answer) -> Self {
        let reasons = answer.verdict.reasons().iter().map(schema_phases::Reason::as_str).collect();
        Self {
            news: true,
            reasons,
            ledgers: answer.view.databases.iter().filter_map(|database| database.ledger.clone()).collect(),
            stable: answer.view.stable.clone().unwrap_or_default(),
            canary: answer.view.canary.clone(),
        }
    }

    /// Where the changes are. Written only for an event that somebody sees: thousands may wait.
    fn live(&self) -> String {
        // All that holds a canary is among the latest; a ledger of years must not fill the log.
        let latest = self.ledgers.iter().flat_map(|ledger| &ledger.changes).rev().take(8);
        latest.map(|entry| format!("{}={}", entry.profile.name, entry.span)).collect::<Vec<_>>().join(",")
    }
}

/// Tells the operator, when the decision is another than the last.
fn decided(rollout: &AskingRollout, report: Report, sight: Option<Sight>) -> Report {
    let sight = sight.unwrap_or(Sight {
        news: true,
        reasons: vec!["unasked"],
        ledgers: Vec::new(),
        stable: String::new(),
        canary: String::new(),
    });
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(
                rollout = rollout.name,
                namespace = rollout.namespace,
                step = rollout.step_index.unwrap_or_default(),
                verdict = report.as_str(),
                reason = sight.reasons.join(","),
                live = sight.live(),
                stable = sight.stable,
                canary = sight.canary,
                told = report.message(),
                "decided"
            )
        };
    }
    // Thousands may wait, and each asks every few seconds: what did not change is for whoever looks closer.
    if sight.news {
        tell!(info);
    } else {
        tell!(debug);
    }
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
        Ok(Response::new(TerminateResponse { result: Some(convert::nothing_to_undo(convert::TERMINATED)) }))
    }

    async fn abort(&self, request: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        let rollout = convert::rollout_from_wire(request.into_inner().rollout).map_err(bad)?;
        tracing::info!(rollout = rollout.name, namespace = rollout.namespace, "aborted");
        Ok(Response::new(AbortResponse { result: Some(convert::nothing_to_undo(convert::ABORTED)) }))
    }
}
