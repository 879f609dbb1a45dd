//! `phasegate check`: the gate's question by hand, or in an init container.

use std::time::Duration;

use phase_ledger::{LedgerReader, ReadError, Reading};
use schema_phases::{AppVersion, Because, DatabaseFacts, Fact, LedgerSight, Missing, Policy, Sighting, Verdict, judge};
use serde_json::{Value, json};
use tokio::time::Instant;

use async_trait::async_trait;

use crate::{
    clock::{Clock, jittered},
    halt::chain,
    signals::Stop,
};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The Database's name.
    pub database: String,
    /// What the version supports.
    pub supports: String,
    /// For how long to ask again.
    pub wait: Wait,
}

/// For how long to ask again while the answer is no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Ask once.
    Once,
    /// Until this has passed.
    AtMost(Duration),
    /// Until the answer is yes.
    Forever,
}

/// Whether another pod of the asking pod's template serves right now.
#[async_trait]
pub trait Siblings: Send + Sync {
    /// Whether one of them is Ready; why that cannot be told otherwise.
    async fn one_is_ready(&self) -> Result<bool, String>;
}

/// The answer, and what it means for the process.
#[derive(Debug)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Undecided, and let in because a pod of the same template serves already.
    pub by_sibling: bool,
    /// What was seen of siblings, when that was asked.
    pub siblings: Option<String>,
    /// The wait was cut short by a signal.
    pub interrupted: bool,
}

impl Answer {
    /// The exit code.
    pub const fn code(&self) -> u8 {
        match &self.verdict {
            Verdict::Proceed(..) => 0,
            Verdict::Undecided(_) if self.by_sibling => 0,
            _ if self.interrupted => 75,
            Verdict::Wait(_) => 3,
            Verdict::Refuse(_) => 4,
            Verdict::Undecided(_) => 5,
        }
    }

    /// The answer as a line.
    pub fn line(&self) -> String {
        let reasons: Vec<String> = self.verdict.reasons().iter().map(ToString::to_string).collect();
        let mut line = format!("{}: {}", self.verdict.as_str(), reasons.join("; "));
        if let Some(siblings) = &self.siblings {
            line.push_str("; ");
            line.push_str(siblings);
        }
        line
    }

    /// The answer as JSON.
    pub fn json(&self) -> Value {
        let reasons: Vec<Value> = self
            .verdict
            .reasons()
            .iter()
            .map(|reason| json!({"reason": reason.as_str(), "message": reason.to_string()}))
            .collect();
        json!({
            "verdict": self.verdict.as_str(),
            "reasons": reasons,
            "by_sibling": self.by_sibling,
            "siblings": self.siblings,
            "exit": self.code(),
        })
    }
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Asks until the answer is yes, or the time is over. `told` hears of every answer that differs from the one before.
pub async fn check(
    reader: &dyn LedgerReader,
    siblings: Option<&dyn Siblings>,
    question: &Question,
    clock: Clock,
    stop: &Stop,
    mut told: impl FnMut(&str),
) -> Answer {
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut last = String::new();
    loop {
        let mut answer = ask(reader, siblings, question, clock).await;
        if answer.code() == 0 {
            return answer;
        }
        let over = match question.wait {
            Wait::Once => true,
            Wait::AtMost(time) => began.elapsed() >= time,
            Wait::Forever => false,
        };
        if over {
            return answer;
        }
        let line = answer.line();
        if line != last {
            told(&line);
            last = line;
        }
        let left = match question.wait {
            Wait::AtMost(time) => time.saturating_sub(began.elapsed()),
            Wait::Once | Wait::Forever => LONGEST_PAUSE,
        };
        stop.sleep(jittered(pause).min(left)).await;
        if stop.is_set() {
            answer.interrupted = true;
            return answer;
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

async fn ask(reader: &dyn LedgerReader, siblings: Option<&dyn Siblings>, question: &Question, clock: Clock) -> Answer {
    let at = clock.now();
    let ledger = match reader.read().await {
        Ok(Reading::NotBegun) => Sighting::Seen { value: LedgerSight::NotBegun, at },
        Ok(Reading::Ledger(state)) => Sighting::Seen { value: LedgerSight::Changes(state.live_changes()), at },
        Err(cause) => Sighting::Missing(missing(&cause)),
    };
    let facts = DatabaseFacts {
        database: question.database.clone(),
        ledger,
        canary: AppVersion { name: "this version".to_owned(), annotation: question.supports.clone() },
        // What serves now is not asked: an init container aborts nothing, so there is nothing to refuse in favour of.
        stable: Sighting::Seen { value: None, at },
        checks: Vec::new(),
    };
    let verdict = judge(&[facts], Policy { max_age: Duration::from_secs(30), overdue: None }, clock.now());
    let mut answer = Answer { verdict, by_sibling: false, siblings: None, interrupted: false };
    if let (Verdict::Undecided(_), Some(siblings)) = (&answer.verdict, siblings) {
        let (by_sibling, what) = match siblings.one_is_ready().await {
            Ok(true) => (true, "another pod of the same template is Ready, so this one may start too".to_owned()),
            Ok(false) => (false, "no other pod of the same template is Ready".to_owned()),
            Err(why) => (false, format!("whether another pod of the same template is Ready cannot be told: {why}")),
        };
        answer.by_sibling = by_sibling;
        answer.siblings = Some(what);
    }
    answer
}

/// A read that failed, as a missing fact.
fn missing(cause: &ReadError) -> Missing {
    let why = chain(cause);
    let because = match cause {
        ReadError::Unreachable { .. } | ReadError::Passing { .. } => Because::Unreachable(why),
        ReadError::NotPermitted { .. } => Because::NotPermitted(why),
        ReadError::Standby
        | ReadError::Pooler
        | ReadError::Unsupported { .. }
        | ReadError::OtherServer { .. }
        | ReadError::Format { .. }
        | ReadError::Unexplained { .. }
        | ReadError::Damaged { .. }
        | ReadError::Query { .. } => Because::Untrusted(why),
    };
    Missing { fact: Fact::Ledger, because }
}
