//! Our types <-> the messages of `step.proto`. Pure; every field is named, so that a new one stops the build here.

use std::time::Duration;

use proto::step::v1::{self as wire, run_response::Outcome};

use crate::{
    gate::AskingRollout,
    step::{report::Report, rollout::StepCall},
    template::PodTemplate,
};

/// A message that cannot be what was meant. It never becomes a default.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// A field is absent that every message has.
    #[error("the message has no `{field}`")]
    Absent {
        /// The field.
        field: &'static str,
    },
    /// The phase is unknown or unspecified.
    #[error("the answer has the phase {found}, which this build does not know")]
    Phase {
        /// Its number.
        found: i32,
    },
}

/// What became of a step, as a front tells it to Argo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What becomes of the step.
    pub phase: StepPhase,
    /// Why.
    pub message: String,
    /// When to ask again.
    pub requeue_after: Option<Duration>,
    /// What to keep.
    pub status: Vec<u8>,
}

/// What becomes of a step. Argo's `Error` is not among them on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepPhase {
    /// It waits.
    Running,
    /// It is done.
    Successful,
    /// It can never be done.
    Failed,
}

impl StepPhase {
    /// Every phase.
    pub const ALL: [Self; 3] = [Self::Running, Self::Successful, Self::Failed];

    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
        }
    }
}

/// The Rollout for a message.
pub fn rollout_to_wire(rollout: AskingRollout) -> wire::Rollout {
    let AskingRollout { namespace, name, uid, template, stable_pod_hash, canary_pod_hash, step_index } = rollout;
    let template = template.map(|template| {
        let (labels, annotations, image) = template.into_maps();
        wire::Template { labels, annotations, image }
    });
    wire::Rollout { namespace, name, uid, template, stable_pod_hash, canary_pod_hash, step_index }
}

/// The Rollout of a message.
///
/// # Errors
/// [`BadMessage::Absent`].
pub fn rollout_from_wire(rollout: Option<wire::Rollout>) -> Result<AskingRollout, BadMessage> {
    let wire::Rollout { namespace, name, uid, template, stable_pod_hash, canary_pod_hash, step_index } =
        rollout.ok_or(BadMessage::Absent { field: "rollout" })?;
    for (field, value) in [("rollout.namespace", &namespace), ("rollout.name", &name), ("rollout.uid", &uid)] {
        if value.is_empty() {
            return Err(BadMessage::Absent { field });
        }
    }
    let template =
        template.map(|wire::Template { labels, annotations, image }| PodTemplate::of_maps(labels, annotations, image));
    Ok(AskingRollout { namespace, name, uid, template, stable_pod_hash, canary_pod_hash, step_index })
}

/// A step call as a request.
pub fn run_request(call: StepCall) -> wire::RunRequest {
    let StepCall { rollout, config, status } = call;
    wire::RunRequest { rollout: Some(rollout_to_wire(rollout)), config, status }
}

/// A request as a step call.
///
/// # Errors
/// [`BadMessage::Absent`].
pub fn step_call(request: wire::RunRequest) -> Result<StepCall, BadMessage> {
    let wire::RunRequest { rollout, config, status } = request;
    Ok(StepCall { rollout: rollout_from_wire(rollout)?, config, status })
}

/// What is reported, as a response.
pub fn run_response(report: Report) -> wire::RunResponse {
    let result = |phase: wire::Phase, message, status, requeue_after: Duration| {
        let requeue_after_seconds = u32::try_from(requeue_after.as_secs()).unwrap_or(u32::MAX);
        Outcome::Result(wire::Result { phase: phase.into(), message, requeue_after_seconds, status })
    };
    let outcome = match report {
        // The permit is spent here.
        Report::Successful { permit: _, message, status } => {
            result(wire::Phase::Successful, message, status, Duration::ZERO)
        }
        Report::Running { message, status, requeue_after } => {
            result(wire::Phase::Running, message, status, requeue_after)
        }
        Report::Failed { message, status } => result(wire::Phase::Failed, message, status, Duration::ZERO),
        Report::Undecided { message } => Outcome::Undecided(wire::Undecided { message }),
    };
    wire::RunResponse { outcome: Some(outcome) }
}

/// A response as a front tells it; `Err` holds the message of an Undecided.
///
/// # Errors
/// [`BadMessage`] for what no service of ours sends.
pub fn told(response: wire::RunResponse) -> Result<Result<Told, String>, BadMessage> {
    let wire::RunResponse { outcome } = response;
    match outcome {
        Some(Outcome::Result(result)) => told_result(Some(result)).map(Ok),
        Some(Outcome::Undecided(wire::Undecided { message })) => Ok(Err(message)),
        None => Err(BadMessage::Absent { field: "outcome" }),
    }
}

/// A result as a front tells it.
///
/// # Errors
/// [`BadMessage`] for what no service of ours sends.
pub fn told_result(result: Option<wire::Result>) -> Result<Told, BadMessage> {
    let wire::Result { phase, message, requeue_after_seconds, status } =
        result.ok_or(BadMessage::Absent { field: "result" })?;
    let phase = match wire::Phase::try_from(phase) {
        Ok(wire::Phase::Running) => StepPhase::Running,
        Ok(wire::Phase::Successful) => StepPhase::Successful,
        Ok(wire::Phase::Failed) => StepPhase::Failed,
        Ok(wire::Phase::Unspecified) | Err(_) => return Err(BadMessage::Phase { found: phase }),
    };
    let requeue_after = (requeue_after_seconds > 0).then(|| Duration::from_secs(requeue_after_seconds.into()));
    Ok(Told { phase, message, requeue_after, status })
}

/// What is said to a rollout that was promoted past its step.
pub const TERMINATED: &str =
    "promoted past the gate; the schema was not touched by it, and moves only as its own rules allow";
/// What is said to a rollout that was aborted.
pub const ABORTED: &str = "aborted; a gate has nothing to undo, and the schema stays where every live version can work";

/// The answer to an end that has nothing to undo.
pub fn nothing_to_undo(message: &str) -> wire::Result {
    wire::Result {
        phase: wire::Phase::Successful.into(),
        message: message.to_owned(),
        requeue_after_seconds: 0,
        status: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
