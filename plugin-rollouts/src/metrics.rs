//! What the gate counts, for Prometheus. Label values are words of our own enums, never an error's text, the name of an
//! object or a version: what Rollouts are called must not decide how much is kept.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::time::Instant;

use crate::{gate::AskingRollout, serve::callers::Denied};

pub mod measured;

/// Seconds that an answer or a look takes: from a ledger next door to all the time there is.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Seconds that a Rollout waits: from one question to the next, to a week.
const WAITS: [f64; 10] = [15.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0];
/// Waiting Rollouts that are told apart; more are counted as verdicts only.
const MOST_WAITING: usize = 20_000;
/// Who has not asked for this long does not wait any more: Argo asks every 5 minutes at most.
const GONE: Duration = Duration::from_secs(400);

type One = [(&'static str, &'static str); 1];
type Two = [(&'static str, &'static str); 2];
type Seconds<L> = Family<L, Histogram, fn() -> Histogram>;

/// The counters.
pub struct Metrics {
    registry: Registry,
    verdicts: Family<One, Counter>,
    reasons: Family<One, Counter>,
    answers: Seconds<One>,
    looks: Seconds<Two>,
    callers: Family<One, Counter>,
    certificates: Family<One, Counter>,
    waited: Histogram,
    waiting: Gauge<i64, AtomicI64>,
    oldest: Gauge<f64, AtomicU64>,
    connections: Gauge<i64, AtomicI64>,
    waits: Mutex<HashMap<u64, Wait>>,
}

#[derive(Clone, Copy)]
struct Wait {
    since: Instant,
    asked: Instant,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new("phasegate_gate")
    }
}

impl Metrics {
    /// The content type of [`Metrics::text`].
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Metrics whose names begin with `prefix`.
    pub fn new(prefix: &str) -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let metrics = Self {
            registry: Registry::with_prefix(prefix),
            verdicts: Family::default(),
            reasons: Family::default(),
            answers: Family::new_with_constructor(seconds),
            looks: Family::new_with_constructor(seconds),
            callers: Family::default(),
            certificates: Family::default(),
            waited: Histogram::new(WAITS),
            waiting: Gauge::default(),
            oldest: Gauge::default(),
            connections: Gauge::default(),
            waits: Mutex::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("verdicts", "Questions answered, by verdict", self.verdicts.clone());
        registry.register("reasons", "Reasons given with verdicts", self.reasons.clone());
        registry.register_with_unit("answer", "Time to a verdict", Unit::Seconds, self.answers.clone());
        registry.register_with_unit("look", "Time of one look at a fact", Unit::Seconds, self.looks.clone());
        registry.register("callers", "Questions by what became of their caller", self.callers.clone());
        registry.register("certificate_looks", "Looks at the certificate's files", self.certificates.clone());
        registry.register_with_unit(
            "waited",
            "How long let-in versions had waited",
            Unit::Seconds,
            self.waited.clone(),
        );
        registry.register("waiting", "Versions that wait now, as far as this process was asked", self.waiting.clone());
        registry.register_with_unit("oldest_wait", "How long the longest waits", Unit::Seconds, self.oldest.clone());
        registry.register("ledger_connections", "Open connections to ledgers", self.connections.clone());
        self
    }

    /// Counts a decision.
    pub(crate) fn decided(
        &self,
        rollout: &AskingRollout,
        verdict: &'static str,
        reasons: impl Iterator<Item = &'static str>,
        took: Duration,
    ) {
        self.verdicts.get_or_create(&[("verdict", verdict)]).inc();
        for reason in reasons {
            self.reasons.get_or_create(&[("reason", reason)]).inc();
        }
        self.answers.get_or_create(&[("verdict", verdict)]).observe(took.as_secs_f64());
        self.wait(rollout, verdict);
    }

    fn wait(&self, rollout: &AskingRollout, verdict: &str) {
        let mut hasher = DefaultHasher::new();
        (&rollout.namespace, &rollout.name, &rollout.uid, &rollout.canary_pod_hash).hash(&mut hasher);
        let (key, now) = (hasher.finish(), Instant::now());
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            "wait" if waits.len() < MOST_WAITING || waits.contains_key(&key) => {
                waits.entry(key).or_insert(Wait { since: now, asked: now }).asked = now;
            }
            // It waits on, whatever it is told this once.
            "undecided" => {
                if let Some(wait) = waits.get_mut(&key) {
                    wait.asked = now;
                }
            }
            "proceed" => {
                let waited = waits.remove(&key).map_or(Duration::ZERO, |wait| now.duration_since(wait.since));
                self.waited.observe(waited.as_secs_f64());
            }
            _ => drop(waits.remove(&key)),
        }
    }

    /// Counts a look at a fact.
    fn looked(&self, fact: &'static str, outcome: &'static str, took: Duration) {
        self.looks.get_or_create(&[("fact", fact), ("outcome", outcome)]).observe(took.as_secs_f64());
    }

    /// Counts a caller.
    pub fn caller(&self, admitted: &Result<(), Denied>) {
        let outcome = admitted.as_ref().err().map_or("admitted", Denied::as_str);
        self.callers.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Counts a look at the certificate's files: `same`, `renewed` or `unusable`.
    pub(crate) fn certificate(&self, outcome: &'static str) {
        self.certificates.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Says how many ledgers are open.
    pub(crate) fn ledgers_open(&self, count: usize) {
        self.connections.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Forgets who does not ask any more. To be called now and then.
    pub(crate) fn tidy(&self) {
        let now = Instant::now();
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, it| now.duration_since(it.asked) < GONE);
    }

    /// All of it, as Prometheus reads it.
    pub fn text(&self) -> Option<String> {
        self.tidy();
        {
            let (now, waits) = (Instant::now(), self.waits.lock().unwrap_or_else(PoisonError::into_inner));
            let oldest = waits.values().map(|wait| now.duration_since(wait.since)).max().unwrap_or_default();
            self.waiting.set(i64::try_from(waits.len()).unwrap_or(i64::MAX));
            self.oldest.set(oldest.as_secs_f64());
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).ok()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::testing::rollout;

    fn decide(metrics: &Metrics, name: &str, verdict: &'static str) {
        let rollout = AskingRollout { name: name.to_owned(), ..rollout() };
        metrics.decided(&rollout, verdict, ["schema_behind"].into_iter(), Duration::from_millis(3));
    }

    fn value(metrics: &Metrics, sample: &str) -> Option<f64> {
        let text = metrics.text().unwrap();
        text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_counted_until_it_is_let_in_or_asks_no_more() {
        let metrics = Metrics::default();
        decide(&metrics, "a", "wait");
        decide(&metrics, "b", "wait");
        advance(Duration::from_secs(100)).await;
        decide(&metrics, "a", "wait");
        decide(&metrics, "b", "undecided");
        assert_eq!(value(&metrics, "phasegate_gate_waiting"), Some(2.0));
        assert_eq!(value(&metrics, "phasegate_gate_oldest_wait_seconds"), Some(100.0));
        decide(&metrics, "a", "proceed");
        assert_eq!(value(&metrics, "phasegate_gate_waiting"), Some(1.0));
        assert_eq!(value(&metrics, "phasegate_gate_waited_seconds_sum"), Some(100.0));
        advance(GONE).await;
        assert_eq!(value(&metrics, "phasegate_gate_waiting"), Some(0.0));
        assert_eq!(value(&metrics, "phasegate_gate_verdicts_total{verdict=\"wait\"}"), Some(3.0));
        assert_eq!(value(&metrics, "phasegate_gate_reasons_total{reason=\"schema_behind\"}"), Some(5.0));
    }

    #[tokio::test(start_paused = true)]
    async fn any_number_of_rollouts_leaves_the_text_as_long_as_it_was() {
        let metrics = Metrics::default();
        decide(&metrics, "a", "wait");
        let lines = metrics.text().unwrap().lines().count();
        for number in 0..30_000 {
            decide(&metrics, &number.to_string(), "wait");
        }
        assert_eq!(metrics.text().unwrap().lines().count(), lines);
        assert_eq!(metrics.waits.lock().unwrap().len(), MOST_WAITING);
    }
}
