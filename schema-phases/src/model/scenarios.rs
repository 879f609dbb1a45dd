//! The bounded models. Each is as small as it can be and still hold what its name says.

use super::{
    scenario::{AppPlan, Freedom, Kind, Plan, Reads, Scenario, Version},
    world::bit,
};
use crate::{
    SchemaPhase::{Contracted, Migrated, Pending},
    Target,
};

/// Built for the old shape, for the new one, and for the old one up to `synced` only.
const V1: (&str, (u8, u8)) = ("v1", (0, 3));
const V2: (&str, (u8, u8)) = ("v2", (3, 4));
const V0: (&str, (u8, u8)) = ("v0", (0, 2));
/// Works on the contracted schema only.
const V3: (&str, (u8, u8)) = ("v3", (4, 4));

fn app(kind: Kind, versions: &[(&'static str, (u8, u8))], goal: u8, freedoms: &[Freedom]) -> AppPlan {
    let versions = versions.iter().map(|(name, window)| Version { name, windows: vec![*window] });
    AppPlan { kind, versions: versions.collect(), first: Some(0), goal: Some(goal), freedoms: freedoms.to_vec() }
}

fn scenario(name: &'static str, apps: Vec<AppPlan>, plans: Vec<Plan>, goal: u8) -> Scenario {
    Scenario {
        name,
        apps,
        plans,
        goal,
        runners: 1,
        reads: Reads::AtOnce,
        soak: false,
        blind: false,
        start: Pending,
        dropped: None,
    }
}

/// Forward and contract: `migrated` first, `contracted` in a commit of its own.
fn forward() -> Vec<Plan> {
    vec![Plan::reach(&[Migrated]), Plan::reach(&[Contracted])]
}

/// Forward, contract, or all the way back.
fn any_way() -> Vec<Plan> {
    vec![Plan::reach(&[Migrated]), Plan::reach(&[Contracted]), Plan::revert(1)]
}

/// One runner, three versions that come and go, one of them by force; the smallest form, as in the design.
pub(super) fn one_runner() -> Scenario {
    let crowd = app(Kind::Loose, &[V1, V2, V0], 1, &[Freedom::Force(&[0, 2]), Freedom::SlowEnd]);
    Scenario { soak: true, ..scenario("one_runner", vec![crowd], any_way(), 1) }
}

/// The same crowd; Git's last word is to revert everything.
pub(super) fn revert() -> Scenario {
    let crowd = app(Kind::Loose, &[V1, V2, V0], 0, &[Freedom::Force(&[1, 2]), Freedom::SlowEnd]);
    scenario("revert", vec![crowd], vec![Plan::reach(&[Migrated]), Plan::revert(1)], 1)
}

/// Two runners that overlap: late pods of stale Jobs, lost locks, statements of dead runners that still run.
pub(super) fn two_runners() -> Scenario {
    let crowd = app(Kind::Loose, &[V1, V2], 1, &[]);
    Scenario { runners: 2, ..scenario("two_runners", vec![crowd], any_way(), 1) }
}

/// A Rollout with everything the controller does to it, its live versions read one source after the other.
pub(super) fn rollout() -> Scenario {
    use Freedom::{Abort, PodsDie, RollbackWindow, Scale, SlowEnd, Update};
    let shop = app(Kind::Rollout, &[V1, V2], 1, &[Update, Scale, Abort, PodsDie, SlowEnd, RollbackWindow]);
    Scenario { reads: Reads::Apart, ..scenario("rollout", vec![shop], forward(), 1) }
}

/// A Rollout with every door that asks no gate.
pub(super) fn doors() -> Scenario {
    use Freedom::{Abort, PromoteFull, Recreate, Skip, SlowEnd, Update};
    let shop = app(Kind::Rollout, &[V1, V2], 1, &[Update, Abort, Skip, PromoteFull, Recreate, SlowEnd]);
    Scenario { soak: true, reads: Reads::Apart, ..scenario("doors", vec![shop], forward(), 1) }
}

/// A canary superseded by a third version, before and after its gate, while the live versions are read.
pub(super) fn supersede() -> Scenario {
    superseding("supersede", &[Freedom::Update, Freedom::Skip])
}

/// The same with slow pods and aborts: too large for every day.
pub(super) fn supersede_deep() -> Scenario {
    superseding("supersede_deep", &[Freedom::Update, Freedom::Abort, Freedom::Skip, Freedom::SlowEnd])
}

fn superseding(name: &'static str, freedoms: &[Freedom]) -> Scenario {
    let shop = app(Kind::Rollout, &[V1, V2, V3], 1, freedoms);
    Scenario { reads: Reads::Apart, ..scenario(name, vec![shop], forward(), 1) }
}

/// The "deploy together" trap: the version that serves and the one that is wanted share no phase.
pub(super) fn trap() -> Scenario {
    let shop = app(Kind::Rollout, &[V0, V2], 1, &[]);
    scenario("trap", vec![shop], forward(), 1)
}

/// A Rollout that is rolled back together with its schema.
pub(super) fn rollout_revert() -> Scenario {
    use Freedom::{Abort, Skip, SlowEnd, Update};
    let shop = app(Kind::Rollout, &[V1, V2], 0, &[Update, Abort, Skip, SlowEnd]);
    let plans = vec![Plan::reach(&[Migrated]), Plan::revert(1)];
    Scenario { reads: Reads::Apart, ..scenario("rollout_revert", vec![shop], plans, 1) }
}

/// Two workloads on one database: a Rollout with a gate and a plain Deployment without one, scaled to zero at times.
pub(super) fn two_workloads() -> Scenario {
    use Freedom::{Scale, Update};
    let shop = app(Kind::Rollout, &[V1, V2], 1, &[Update]);
    let worker = app(Kind::Plain, &[V1, V2], 1, &[Update, Scale]);
    Scenario { reads: Reads::Apart, ..scenario("two_workloads", vec![shop, worker], forward(), 1) }
}

/// The second workload's pods ask for themselves, in an init container.
pub(super) fn init_gate() -> Scenario {
    use Freedom::{PodsDie, Scale, Update};
    let shop = app(Kind::Rollout, &[V1, V2], 1, &[Update]);
    let worker = app(Kind::InitGated, &[V1, V2], 1, &[Update, Scale, PodsDie]);
    scenario("init_gate", vec![shop, worker], forward(), 1)
}

/// A consumer outside the cluster, declared in Git before it starts.
pub(super) fn consumer() -> Scenario {
    let crowd = app(Kind::Loose, &[V2], 0, &[]);
    let billing = AppPlan { first: None, goal: None, ..app(Kind::Consumer, &[V1], 0, &[Freedom::SlowEnd]) };
    let declared = |plan: Plan| Plan { consumers: bit(1, 0), ..plan };
    let mut plans = forward();
    plans.extend(forward().into_iter().map(declared));
    Scenario { start: Migrated, ..scenario("consumer", vec![crowd, billing], plans, 1) }
}

/// Two changes on one table: an old version, one built for the first change, one built for both.
pub(super) fn two_changes() -> Scenario {
    let version = |name, one, two| Version { name, windows: vec![one, two] };
    let crowd = AppPlan {
        kind: Kind::Loose,
        versions: vec![version("v1", (0, 3), (0, 3)), version("v2", (3, 4), (0, 3)), version("v3", (3, 4), (3, 4))],
        first: Some(0),
        goal: Some(2),
        freedoms: vec![],
    };
    let plans = vec![
        Plan::reach(&[Migrated, Migrated]),
        Plan::reach(&[Contracted, Contracted]),
        Plan { targets: vec![Target::Reach(Migrated), Target::RevertTo(Pending)], consumers: 0 },
        Plan::revert(2),
    ];
    scenario("two_changes", vec![crowd], plans, 1)
}

/// No source of live versions at all: a laptop without `--live`. Only the windows of the two shapes are conceivable.
pub(super) fn blind() -> Scenario {
    let crowd = app(Kind::Loose, &[V1, V2], 0, &[Freedom::Force(&[1])]);
    Scenario { blind: true, ..scenario("blind", vec![crowd], any_way(), 0) }
}

/// The same, and a version that says it ends at `synced`.
pub(super) fn blind_to_a_shorter_window() -> Scenario {
    let crowd = app(Kind::Loose, &[V0], 0, &[]);
    Scenario { blind: true, ..scenario("blind_to_a_shorter_window", vec![crowd], any_way(), 0) }
}
