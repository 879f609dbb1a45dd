//! Each guard, the models that need it, and the promises that break without it: one test a guard.

use super::{
    properties::{FENCED, INSIDE, KEPT, ORDERED, TRUE},
    scenario::{Guard, Scenario},
    scenarios::{consumer, one_runner, rollout, two_changes, two_runners, two_workloads},
    tests::breaks,
};
use crate::SchemaPhase::Migrated;

/// Begun where `contracted` is one move away: the shortest counterexample is then only what matters.
fn ready(scenario: Scenario) -> Scenario {
    scenario.from(Migrated)
}

fn needed(guard: Guard) -> Vec<(Scenario, &'static str)> {
    match guard {
        Guard::Intent | Guard::SecondLook | Guard::WaitingIsLive | Guard::SpanGate | Guard::PodIsLive => {
            vec![(ready(one_runner()), INSIDE)]
        }
        Guard::GoOn => vec![(ready(one_runner()), INSIDE), (ready(one_runner()), TRUE)],
        Guard::TerminatingIsLive
        | Guard::PodsLast
        | Guard::ReplicaSetIsLive
        | Guard::StableReplicaSetIsLive
        | Guard::RollbackWindowIsLive => vec![(ready(rollout()), INSIDE)],
        Guard::ScaledByOwnerIsLive => vec![(ready(two_workloads()), INSIDE)],
        Guard::ConsumerIsLive | Guard::DigestAgain => vec![(consumer(), INSIDE)],
        Guard::Digest => vec![(ready(two_runners()), KEPT)],
        Guard::Generation => [FENCED, INSIDE, KEPT, TRUE].map(|promise| (ready(two_runners()), promise)).into(),
        Guard::Order => vec![(two_changes(), ORDERED)],
    }
}

macro_rules! no_guard_can_go {
    ($($test:ident: $guard:ident,)*) => {
        $(
            #[test]
            fn $test() {
                for (scenario, promise) in needed(Guard::$guard) {
                    breaks(&scenario.without(Guard::$guard), promise);
                }
            }
        )*
    };
}

no_guard_can_go! {
    without_the_intent: Intent,
    without_the_second_look: SecondLook,
    without_reading_pods_last: PodsLast,
    without_counting_who_waits_at_a_gate: WaitingIsLive,
    without_counting_terminating_pods: TerminatingIsLive,
    without_counting_pods: PodIsLive,
    without_counting_owners_at_zero_replicas: ScaledByOwnerIsLive,
    without_counting_replica_sets: ReplicaSetIsLive,
    without_counting_the_stable_replica_set: StableReplicaSetIsLive,
    without_counting_the_rollback_window: RollbackWindowIsLive,
    without_counting_consumers: ConsumerIsLive,
    without_the_whole_span_at_the_gate: SpanGate,
    without_the_digest: Digest,
    without_the_digest_after_the_intent: DigestAgain,
    without_the_generation: Generation,
    without_going_on: GoOn,
    without_the_order_of_changes: Order,
}
