//! The four verdicts, mapped once to what Argo understands.
//!
//! INVARIANT: only a [`Permit`] makes a [`Report::Successful`], and only `judge` makes a permit. Argo's own phase
//! `Error` is not among the reports on purpose: it would wedge the step for ever (argo-rollouts 1.10.2,
//! rollout/steps/plugin/plugin.go: an empty backoff is stored that the next reconcile cannot parse).

use std::time::Duration;

use schema_phases::{Permit, Reason, Verdict};

use super::{config::StepConfig, message, status::StepStatus};
use crate::gate::{Answer, AskingRollout};

/// What Argo is told about a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Report {
    /// The step is done; the canary goes on.
    Successful {
        /// The proof.
        permit: Permit,
        /// Why, for people.
        message: String,
        /// What Argo keeps.
        status: Vec<u8>,
    },
    /// The step waits.
    Running {
        /// Why, for people.
        message: String,
        /// What Argo keeps.
        status: Vec<u8>,
        /// When to ask again.
        requeue_after: Duration,
    },
    /// The step can never be done; Argo aborts the rollout, and stable serves.
    Failed {
        /// Why, for people.
        message: String,
        /// What Argo keeps.
        status: Vec<u8>,
    },
    /// Nothing was decided: an RPC error, which Argo retries; it keeps the status it has.
    Undecided {
        /// Why, for people.
        message: String,
    },
}

impl Report {
    /// The word of the verdict it tells.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Successful { .. } => "proceed",
            Self::Running { .. } => "wait",
            Self::Failed { .. } => "refuse",
            Self::Undecided { .. } => "undecided",
        }
    }

    /// The text for people.
    pub fn message(&self) -> &str {
        match self {
            Self::Successful { message, .. }
            | Self::Running { message, .. }
            | Self::Failed { message, .. }
            | Self::Undecided { message } => message,
        }
    }
}

/// Turns an answer into what Argo is told. `hint` is the status of an earlier answer.
pub fn report(answer: Answer, rollout: &AskingRollout, config: &StepConfig, hint: Option<&StepStatus>) -> Report {
    let Answer { verdict, view } = answer;
    let word = verdict.as_str();
    let status = |reasons: &[Reason]| StepStatus::of(word, reasons, &view).to_json();
    match verdict {
        Verdict::Proceed(permit, reasons) => {
            Report::Successful { permit, message: message::proceed(&view, &reasons), status: status(&reasons) }
        }
        Verdict::Wait(reasons) => Report::Running {
            message: message::wait(&view, &reasons, config.requeue),
            status: status(&reasons),
            requeue_after: config.requeue,
        },
        Verdict::Refuse(reasons) => {
            Report::Failed { message: message::refuse(&view, &reasons, rollout), status: status(&reasons) }
        }
        Verdict::Undecided(reasons) => Report::Undecided { message: message::undecided(&view, &reasons, hint) },
    }
}

/// A question that could not even be asked: a broken config, a Rollout without a template.
pub fn unasked(why: &dyn std::error::Error) -> Report {
    Report::Undecided { message: message::clipped(&format!("undecided: {why}. Argo asks again in about 30 s")) }
}

#[cfg(test)]
mod tests;
