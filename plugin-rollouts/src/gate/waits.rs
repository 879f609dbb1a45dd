//! `Waits`: since when each question has been asked, and how a watch goes. By this process' own clock, and only in its
//! memory: after a restart a wait and a watch begin anew, so that neither is ever taken for longer than it was.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use schema_changes::Watch;
use tokio::time::Instant;

use super::question::AskingRollout;

/// Longer than any pause between two questions (300 s, and what Argo adds).
const IDLE: Duration = Duration::from_secs(1_200);

/// One version of one Rollout at one of its steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct WaitKey {
    uid: String,
    canary: String,
    step: i32,
}

impl WaitKey {
    /// The key of a question.
    pub(super) fn of(rollout: &AskingRollout) -> Self {
        Self {
            uid: rollout.uid.clone(),
            canary: rollout.canary_pod_hash.clone(),
            step: rollout.step_index.unwrap_or_default(),
        }
    }
}

/// How one look of a watch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// Every measure was seen, and within its bounds.
    Well,
    /// One was out of bounds.
    Bad,
    /// Too little was seen.
    Blind,
}

/// What is known of one wait when it is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Since when it has been asked about.
    pub(super) waited: Duration,
    /// For how long all has been seen to be well, this look included if it is well too.
    pub(super) watched: Duration,
    /// Bad looks in a row before this one.
    pub(super) bad: u32,
}

/// The waits of this process.
#[derive(Default)]
pub(super) struct Waits {
    known: Mutex<HashMap<WaitKey, Wait>>,
}

struct Wait {
    since: Instant,
    asked: Instant,
    watched: Duration,
    well: Option<Instant>,
    bad: u32,
}

impl Waits {
    /// Notes that somebody asks, and tells how long that has been going on. `requeue` is the pause between two looks: a
    /// longer one was not watched.
    pub(super) fn ask(&self, key: &WaitKey, requeue: Duration) -> Waiting {
        let now = Instant::now();
        let mut known = self.lock();
        let wait = known.entry(key.clone()).or_insert_with(|| Wait::starting(now));
        wait.asked = now;
        Waiting { waited: now.duration_since(wait.since), watched: wait.watched_until(now, requeue), bad: wait.bad }
    }

    /// Notes how a look of a watch went.
    pub(super) fn looked(&self, key: &WaitKey, requeue: Duration, how: Watched) {
        let now = Instant::now();
        if let Some(wait) = self.lock().get_mut(key) {
            wait.watched = wait.watched_until(now, requeue);
            wait.well = (how == Watched::Well).then_some(now);
            wait.bad = if how == Watched::Bad { wait.bad.saturating_add(1) } else { 0 };
        }
    }

    /// The wait is over.
    pub(super) fn over(&self, key: &WaitKey) {
        self.lock().remove(key);
    }

    /// Forgets what nobody asks about any more.
    pub(super) fn forget_idle(&self) {
        let now = Instant::now();
        self.lock().retain(|_, wait| now.duration_since(wait.asked) < IDLE);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WaitKey, Wait>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    const fn starting(now: Instant) -> Self {
        Self { since: now, asked: now, watched: Duration::ZERO, well: None, bad: 0 }
    }

    fn watched_until(&self, now: Instant, requeue: Duration) -> Duration {
        // Argo adds 5 s, waits 30 s after an error, and may be busy.
        let between = self.well.map(|well| now.duration_since(well)).filter(|gap| *gap <= requeue * 2 + IDLE / 20);
        self.watched + between.unwrap_or_default()
    }
}

/// Whether this bad look is one too many.
pub(super) const fn too_bad(waiting: &Waiting, watch: &Watch) -> bool {
    waiting.bad >= watch.tolerated
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::testing::rollout;

    const PAUSE: Duration = Duration::from_secs(15);

    #[tokio::test(start_paused = true)]
    async fn a_wait_lasts_from_the_first_question_and_each_version_has_its_own() {
        let (waits, key) = (Waits::default(), WaitKey::of(&rollout()));
        assert_eq!(waits.ask(&key, PAUSE).waited, Duration::ZERO);
        advance(PAUSE).await;
        assert_eq!(waits.ask(&key, PAUSE).waited, PAUSE);
        let mut other = rollout();
        other.canary_pod_hash = "another".to_owned();
        assert_eq!(waits.ask(&WaitKey::of(&other), PAUSE).waited, Duration::ZERO);
        waits.over(&key);
        assert_eq!(waits.ask(&key, PAUSE).waited, Duration::ZERO);
        advance(IDLE).await;
        waits.forget_idle();
        assert_eq!(waits.lock().len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_time_between_two_good_looks_close_together_is_watched() {
        let (waits, key) = (Waits::default(), WaitKey::of(&rollout()));
        let look = async |gap: Duration, how| {
            advance(gap).await;
            let seen = waits.ask(&key, PAUSE);
            waits.looked(&key, PAUSE, how);
            (seen.watched.as_secs(), seen.bad)
        };
        assert_eq!(look(PAUSE, Watched::Well).await, (0, 0));
        assert_eq!(look(PAUSE, Watched::Well).await, (15, 0));
        assert_eq!(look(PAUSE, Watched::Blind).await, (30, 0), "until the look that saw nothing");
        assert_eq!(look(PAUSE, Watched::Well).await, (30, 0), "and not from it on");
        assert_eq!(look(Duration::from_secs(600), Watched::Well).await, (30, 0), "nobody looked for ten minutes");
        assert_eq!(look(PAUSE, Watched::Bad).await, (45, 0));
        assert_eq!(look(PAUSE, Watched::Bad).await, (45, 1));
        assert_eq!(look(PAUSE, Watched::Well).await, (45, 2));
        assert_eq!(look(PAUSE, Watched::Well).await, (60, 0));
    }
}
