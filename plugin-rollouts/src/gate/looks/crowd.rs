//! Whether several ask about one thing close together. Only then is it worth waiting a moment for more of them before a
//! look begins; whoever asks alone waits for nobody.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use tokio::time::Instant;

/// Two who ask within this time of each other are a crowd: 5,000 rollouts that ask every 20 s are 4 ms apart.
pub(super) const CLOSE: Duration = Duration::from_millis(20);
/// How long a look waits for more of a crowd.
pub(super) const GATHER: Duration = Duration::from_millis(32);
/// With so many there is nothing to wait for. Fewer than the ten workers that Argo's controller has by default: those
/// who wait here all at once would wait for askers that cannot come.
pub(super) const ENOUGH: usize = 8;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker(u64);

impl Asker {
    /// The same for equal values.
    pub fn of(who: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        who.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What is remembered of who asked.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    last: Option<(Asker, Instant)>,
    /// When two different askers last came close together.
    met: Option<Instant>,
}

impl Crowd {
    /// Notes that somebody asks now.
    pub(super) fn note(&mut self, asker: Asker, now: Instant) {
        if self.last.is_some_and(|(last, at)| last != asker && now.duration_since(at) < CLOSE) {
            self.met = Some(now);
        }
        self.last = Some((asker, now));
    }

    /// Whether there is one now.
    pub(super) fn is_one(&self, now: Instant) -> bool {
        self.met.is_some_and(|met| now.duration_since(met) < CLOSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_different_askers_close_together() {
        // Who asked, and when.
        type Asked = &'static [(&'static str, u64)];
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let told = |asked: &[(&str, u64)], at: u64| {
            let mut crowd = Crowd::default();
            asked.iter().for_each(|(who, at)| crowd.note(Asker::of(who), after(*at)));
            crowd.is_one(after(at))
        };
        let rows: [(Asked, u64, bool); 7] = [
            (&[], 0, false),
            (&[("a", 0)], 0, false),
            (&[("a", 0), ("a", 1), ("a", 2)], 2, false),
            (&[("a", 0), ("b", 4)], 4, true),
            (&[("a", 0), ("b", 4)], 24, false),
            (&[("a", 0), ("b", 20)], 20, false),
            (&[("a", 0), ("b", 4), ("b", 10), ("b", 16), ("b", 22)], 24, false),
        ];
        for (asked, at, crowd) in rows {
            assert_eq!(told(asked, at), crowd, "{asked:?} at {at}");
        }
    }
}
