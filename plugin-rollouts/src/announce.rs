//! Tells people in events of the Rollout what the gate decided: on a change of verdict or reason, never at each question.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use schema_phases::Moment;
use tokio::time::Instant;

use crate::{
    gate::AskingRollout,
    step::{message, status::StepStatus},
};

/// Between two events of one version's step, unless the later one ends it. A fact that comes and goes must not fill etcd.
const PAUSE: Duration = Duration::from_secs(60);
/// Longer than any pause between two questions.
const IDLE: Duration = Duration::from_secs(1_200);

/// Carries events away. Never waits, and never fails: an event that is lost changes nothing.
pub trait Announcer: Send + Sync {
    /// Takes one.
    fn announce(&self, announcement: Announcement);
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The Rollout's namespace.
    pub namespace: String,
    /// The Rollout's name.
    pub rollout: String,
    /// The Rollout's UID.
    pub uid: String,
    /// What two gates that say the same call it.
    pub name: String,
    /// Which kind of event.
    pub kind: EventKind,
    /// For people.
    pub message: String,
    /// When.
    pub at: Moment,
}

/// Which kind of event: a word each, which people filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The canary was let in.
    LetIn,
    /// It waits.
    Waits,
    /// It was refused.
    Refused,
    /// Nothing can be decided.
    Undecided,
    /// It has waited for longer than its owner thought.
    Overdue,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::LetIn, Self::Waits, Self::Refused, Self::Undecided, Self::Overdue];

    /// The event's reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LetIn => "PhasegateProceed",
            Self::Waits => "PhasegateWait",
            Self::Refused => "PhasegateRefuse",
            Self::Undecided => "PhasegateUndecided",
            Self::Overdue => "PhasegateOverdue",
        }
    }

    /// Whether somebody should look.
    pub const fn is_warning(self) -> bool {
        match self {
            Self::LetIn | Self::Waits => false,
            Self::Refused | Self::Undecided | Self::Overdue => true,
        }
    }
}

/// What was decided.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The verdict's word.
    pub verdict: &'a str,
    /// The reasons' words.
    pub reasons: &'a [&'a str],
    /// Whether it has waited too long.
    pub overdue: bool,
    /// The text for people.
    pub message: &'a str,
    /// When.
    pub at: Moment,
}

/// Remembers what was told.
pub struct Teller {
    announcer: Arc<dyn Announcer>,
    told: Mutex<HashMap<u64, Told>>,
}

struct Told {
    /// Of the verdict and its reasons: thousands are remembered, and only told apart.
    what: u64,
    sent: Option<Instant>,
    asked: Instant,
}

impl Teller {
    /// Tells by this announcer.
    pub fn new(announcer: Arc<dyn Announcer>) -> Self {
        Self { announcer, told: Mutex::default() }
    }

    /// Forgets who does not ask any more. To be called now and then, and not at each question: thousands wait.
    pub fn tidy(&self) {
        let now = Instant::now();
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, told| now.duration_since(told.asked) < IDLE);
    }

    /// Tells a decision, if it is another than the last; whether it is. `hint` is the status of an answer before a restart.
    pub fn tell(&self, rollout: &AskingRollout, decision: Decision<'_>, hint: Option<&StepStatus>) -> bool {
        let Decision { verdict, reasons, overdue, message, at } = decision;
        let kind = match verdict {
            "proceed" => EventKind::LetIn,
            "refuse" => EventKind::Refused,
            "undecided" => EventKind::Undecided,
            _ if overdue => EventKind::Overdue,
            _ => EventKind::Waits,
        };
        let mut words: Vec<&str> = Vec::new();
        for reason in reasons {
            if !words.contains(reason) {
                words.push(reason);
            }
        }
        let what = digest(&(verdict, &words, overdue));
        let key = digest(&(&rollout.uid, &rollout.canary_pod_hash, rollout.step_index));
        let ends = matches!(kind, EventKind::LetIn | EventKind::Refused);
        let now = Instant::now();
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let known = told.get(&key);
            let same = match known {
                Some(told) => told.what == what,
                // The process before this one told it.
                None => hint.is_some_and(|hint| hint.verdict == verdict && hint.reasons == words && !overdue),
            };
            let sent = known.and_then(|told| told.sent);
            let too_soon = !ends && sent.is_some_and(|sent| now.duration_since(sent) < PAUSE);
            if same || too_soon {
                // What comes too soon is not remembered: it is told later, if it lasts.
                let what = if same { what } else { known.map_or(what, |told| told.what) };
                told.insert(key, Told { what, sent, asked: now });
                return !same;
            }
            if ends {
                told.remove(&key);
            } else {
                told.insert(key, Told { what, sent: Some(now), asked: now });
            }
        }
        self.announcer.announce(Announcement {
            namespace: rollout.namespace.clone(),
            rollout: rollout.name.clone(),
            uid: rollout.uid.clone(),
            // The same from every copy of the gate, so that one decision makes one event.
            name: format!("{}.{:016x}", rollout.name.chars().take(200).collect::<String>(), digest(&(key, kind, what))),
            kind,
            message: message::clipped(message),
            at,
        });
        true
    }
}

/// The same in every process of one build.
fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Tells nobody.
pub struct Silent;

impl Announcer for Silent {
    fn announce(&self, _announcement: Announcement) {}
}

#[cfg(test)]
mod tests;
