//! What the gate is asked, and what it answers.

use std::{sync::Arc, time::Duration};

use phase_ledger::LedgerState;
use schema_changes::StepConfig;
use schema_phases::{AppVersion, Because, Moment, PlanDigest, Verdict};

use crate::template::PodTemplate;

/// The Rollout that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskingRollout {
    /// Its namespace, which bounds what the question may touch.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID; the ReplicaSets it owns name it.
    pub uid: String,
    /// The canary's pod template; none when the argument has none, so that it must be read from the ReplicaSet.
    pub template: Option<PodTemplate>,
    /// Pod template hash of the stable ReplicaSet; empty on a first deploy.
    pub stable_pod_hash: String,
    /// Pod template hash of the canary's ReplicaSet.
    pub canary_pod_hash: String,
    /// The step that asks, from 0. Step 0 arrives as absent.
    pub step_index: Option<i32>,
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Who asks.
    pub rollout: AskingRollout,
    /// What the step is configured to do.
    pub config: StepConfig,
}

/// The answer to a question.
#[derive(Debug)]
pub struct Answer {
    /// The decision.
    pub verdict: Verdict,
    /// What it rests on.
    pub view: View,
}

/// What was seen, for messages and the status.
#[derive(Clone, Debug)]
pub struct View {
    /// The name of the version that asks.
    pub canary: String,
    /// The name of the version that serves.
    pub stable: Option<String>,
    /// The databases, by name.
    pub databases: Vec<DatabaseSeen>,
    /// For how long this process has been asked the same.
    pub waited: Duration,
    /// Whether that is longer than its owner thought.
    pub overdue: bool,
    /// When the answer was given.
    pub at: Moment,
}

/// What was seen of one database.
#[derive(Clone, Debug)]
pub struct DatabaseSeen {
    /// Its name.
    pub name: String,
    /// The namespace it is declared in.
    pub namespace: String,
    /// The canary, as far as it concerns this database.
    pub canary: AppVersion,
    /// The stable version likewise; none when it does not use the database.
    pub stable: Option<AppVersion>,
    /// Its ledger.
    pub ledger: Option<Arc<LedgerState>>,
    /// The plan that Git wants.
    pub wanted: Option<PlanDigest>,
    /// Which plan was worked on last.
    pub plan: PlanSight,
    /// What else a person should know.
    pub note: Option<String>,
}

/// Which plan a ledger was worked on with last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanSight {
    /// The one Git wants now.
    Wanted,
    /// Another.
    Another,
    /// Nobody can say.
    Unknown,
}

/// Why a question could not be put.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    /// The time is up.
    #[error("nothing was decided within {} ms; {}", within.as_millis(), slow(awaited))]
    OutOfTime {
        /// The time there was.
        within: Duration,
        /// What was still waited for, for people.
        awaited: Vec<String>,
    },
    /// What the canary is cannot be told.
    #[error("the canary's pod template is not in the Rollout, and its ReplicaSet cannot be read: {}", because.told())]
    NoTemplate {
        /// Why.
        because: Because,
    },
    /// The step names a database that the pod template does not.
    #[error(
        "the config of this step names the database `{database}`, and the pod template has no label \
         database.phasegate.dev/{database}; add the label, or correct the config"
    )]
    NotLabelled {
        /// The database.
        database: String,
    },
    /// More databases than any pod uses.
    #[error("the pod template names {found} databases; at most {most} are judged")]
    TooMany {
        /// How many.
        found: usize,
        /// How many are.
        most: usize,
    },
}

/// What is slow, in a few words: a pod with thirty databases must not make a page of it.
fn slow(awaited: &[String]) -> String {
    const MOST: usize = 3;
    if awaited.is_empty() {
        return "the database or the Kubernetes API is slow".to_owned();
    }
    let named = awaited.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match awaited.len().saturating_sub(MOST) {
        0 => format!("it still waited for {named}"),
        more => format!("it still waited for {named}, and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_named_and_never_a_page_of_it() {
        let late = |awaited: &[&str]| {
            let awaited = awaited.iter().map(|it| (*it).to_owned()).collect();
            Unasked::OutOfTime { within: Duration::from_secs(4), awaited }.to_string()
        };
        assert!(late(&[]).ends_with("; the database or the Kubernetes API is slow"));
        assert!(late(&["a", "b", "c"]).ends_with("; it still waited for a, b, c"));
        assert!(late(&["a", "b", "c", "d", "e"]).ends_with("; it still waited for a, b, c, and 2 more"));
    }
}
