//! Which versions a runner's look finds, source by source. Each kind of live version can be left out.

use super::{
    scenario::{Guard, Kind},
    system::System,
    world::{App, At, Entry, Pod, VERSIONS, Versions, World, bit},
};

/// A place where live versions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Rollouts and Deployments, and the consumers that the plan declares.
    Owners,
    ReplicaSets,
    Pods,
}

/// The sources in the order in which a look reads them.
pub(super) fn order(system: &System) -> [Source; 3] {
    let order = [Source::Owners, Source::ReplicaSets, Source::Pods];
    if system.scenario.has(Guard::PodsLast) { order } else { [order[2], order[1], order[0]] }
}

/// The source that a runner at this point reads next, as a place in [`order`].
pub(super) const fn place(at: At) -> Option<usize> {
    match at {
        At::Current | At::Again => Some(0),
        At::LookSets | At::AgainSets => Some(1),
        At::LookPods | At::AgainPods => Some(2),
        At::Off | At::Fresh | At::Intend | At::Withdraw | At::Act | At::Touch | At::Finish | At::Settle => None,
    }
}

/// What one source shows now.
pub(super) fn read(system: &System, world: &World, source: Source, plan: u8) -> Versions {
    let mut found = 0;
    for (index, (app, plans)) in world.apps.iter().zip(&system.scenario.apps).enumerate() {
        for version in 0..VERSIONS as u8 {
            let pod = app.pods[usize::from(version)];
            let waits = matches!(pod, Pod::Waiting | Pod::Told);
            let (shown, waits) = match source {
                Source::Owners => {
                    (owner_shows(system, app, plans.kind, version), app.entry[usize::from(version)] == Entry::Outside)
                }
                Source::ReplicaSets => (app.has_set(version) && system.scenario.has(Guard::ReplicaSetIsLive), waits),
                Source::Pods => (plans.kind != Kind::Consumer && pod_shows(system, pod), waits),
            };
            if shown && (!waits || system.scenario.has(Guard::WaitingIsLive)) {
                found |= bit(index, version);
            }
        }
    }
    if source == Source::Owners && system.scenario.has(Guard::ConsumerIsLive) {
        found |= system.scenario.plans[usize::from(plan)].consumers;
    }
    found
}

fn owner_shows(system: &System, app: &App, kind: Kind, version: u8) -> bool {
    let scenario = &system.scenario;
    match kind {
        Kind::Rollout | Kind::Plain | Kind::InitGated => {
            (app.template == Some(version) && (app.up || scenario.has(Guard::ScaledByOwnerIsLive)))
                || (app.stable == Some(version) && scenario.has(Guard::StableReplicaSetIsLive))
                || (app.back == Some(version) && scenario.has(Guard::RollbackWindowIsLive))
        }
        Kind::Loose | Kind::Consumer => false,
    }
}

fn pod_shows(system: &System, pod: Pod) -> bool {
    system.scenario.has(Guard::PodIsLive)
        && match pod {
            Pod::None => false,
            Pod::Waiting | Pod::Told | Pod::Serving(_) => true,
            Pod::Leaving(_) => system.scenario.has(Guard::TerminatingIsLive),
        }
}
