//! Each guard, the model that needs it, and the promise that breaks without it.

use super::{
    properties::{FENCED, INSIDE, KEPT, ORDERED, TRUE},
    scenario::{Guard, Scenario},
    scenarios,
};

pub(super) fn needed() -> Vec<(Guard, Scenario, &'static str)> {
    vec![
        (Guard::Intent, scenarios::one_runner(), INSIDE),
        (Guard::SecondLook, scenarios::one_runner(), INSIDE),
        (Guard::WaitingIsLive, scenarios::one_runner(), INSIDE),
        (Guard::SpanGate, scenarios::one_runner(), INSIDE),
        (Guard::GoOn, scenarios::one_runner(), INSIDE),
        (Guard::GoOn, scenarios::one_runner(), TRUE),
        (Guard::PodIsLive, scenarios::one_runner(), INSIDE),
        (Guard::TerminatingIsLive, scenarios::rollout(), INSIDE),
        (Guard::PodsLast, scenarios::rollout(), INSIDE),
        (Guard::ReplicaSetIsLive, scenarios::rollout(), INSIDE),
        (Guard::StableReplicaSetIsLive, scenarios::rollout(), INSIDE),
        (Guard::RollbackWindowIsLive, scenarios::rollout(), INSIDE),
        (Guard::ScaledByOwnerIsLive, scenarios::two_workloads(), INSIDE),
        (Guard::ConsumerIsLive, scenarios::consumer(), INSIDE),
        (Guard::DigestAgain, scenarios::consumer(), INSIDE),
        (Guard::Digest, scenarios::two_runners(), KEPT),
        (Guard::Generation, scenarios::two_runners(), FENCED),
        (Guard::Generation, scenarios::two_runners(), INSIDE),
        (Guard::Generation, scenarios::two_runners(), KEPT),
        (Guard::Generation, scenarios::two_runners(), TRUE),
        (Guard::Order, scenarios::two_changes(), ORDERED),
    ]
}
