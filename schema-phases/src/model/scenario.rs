//! What one bounded model contains, and the guard that is dropped from it.

use crate::{phase::SchemaPhase, target::Target};

/// One thing the protocol does for safety. A test drops each and must see a counterexample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// The span is written to the ledger before the second look.
    Intent,
    /// The live versions are read again after the intent.
    SecondLook,
    /// Within one look the pods are read last.
    PodsLast,
    /// A version that waits at its gate is live.
    WaitingIsLive,
    /// A terminating pod is live until its object is gone.
    TerminatingIsLive,
    /// The pods themselves are read, not only what owns them.
    PodIsLive,
    /// The template of an owner at zero replicas is live.
    ScaledByOwnerIsLive,
    /// A ReplicaSet with replicas is live, whoever still names it.
    ReplicaSetIsLive,
    /// The ReplicaSet that stableRS names is live at zero replicas.
    StableReplicaSetIsLive,
    /// So is one inside the rollbackWindow.
    RollbackWindowIsLive,
    /// A declared consumer outside the cluster is live.
    ConsumerIsLive,
    /// The gate looks at the whole span.
    SpanGate,
    /// A runner leaves when its plan is not the wanted one.
    Digest,
    /// It asks that again after its intent.
    DigestAgain,
    /// A write whose generation was raised over fails.
    Generation,
    /// A move that touched the schema goes on to its end.
    GoOn,
    /// Changes on one table contract and revert in order.
    Order,
}

/// A version: its name, and its window for each change in plain numbers.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub name: &'static str,
    pub windows: Vec<(u8, u8)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An Argo Rollout with the gate as its first canary step.
    Rollout,
    /// A Deployment without any gate.
    Plain,
    /// A Deployment whose pods ask in an init container.
    InitGated,
    /// Versions that come and go each by itself and ask for themselves.
    Loose,
    /// The same outside the cluster: seen only because the plan declares it.
    Consumer,
}

/// What people may do to an app in a model, beside what leads to the goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freedom {
    /// Any version of it may be asked for at any time (update, undo, supersede).
    Update,
    Scale,
    Abort,
    /// `promote`: the step with the gate is passed over.
    Skip,
    /// `promote --full`.
    PromoteFull,
    /// The Rollout is deleted and made again: a first deploy asks no gate.
    Recreate,
    /// An old version in the rollbackWindow comes back without a gate.
    RollbackWindow,
    /// Pods die.
    PodsDie,
    /// Pods take time to terminate.
    SlowEnd,
    /// These loose versions may come in by force.
    Force(&'static [u8]),
}

#[derive(Clone, Debug)]
pub(super) struct AppPlan {
    pub kind: Kind,
    pub versions: Vec<Version>,
    /// The version that serves in the beginning.
    pub first: Option<u8>,
    /// The version that must serve alone in the end.
    pub goal: Option<u8>,
    pub freedoms: Vec<Freedom>,
}

impl AppPlan {
    pub(super) fn allows(&self, freedom: Freedom) -> bool {
        self.freedoms.contains(&freedom)
    }

    pub(super) fn may_force(&self, version: u8) -> bool {
        self.freedoms.iter().any(|freedom| matches!(freedom, Freedom::Force(versions) if versions.contains(&version)))
    }
}

/// What Git asks for: the targets, and the consumers it declares (as bits of [`super::world::bit`]).
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub targets: Vec<Target>,
    pub consumers: u8,
}

impl Plan {
    pub(super) fn reach(phases: &[SchemaPhase]) -> Self {
        Self { targets: phases.iter().map(|phase| Target::Reach(*phase)).collect(), consumers: 0 }
    }

    pub(super) fn revert(changes: usize) -> Self {
        Self { targets: vec![Target::RevertTo(SchemaPhase::Pending); changes], consumers: 0 }
    }
}

/// How a look reads the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// All at once: where the order is not the model's concern.
    AtOnce,
    /// Owners, then ReplicaSets, then pods, anything happening in between.
    Apart,
}

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub name: &'static str,
    pub apps: Vec<AppPlan>,
    pub plans: Vec<Plan>,
    /// The plan that Git asks for in the end.
    pub goal: u8,
    pub runners: u8,
    pub reads: Reads,
    /// A contract that has hidden the old shape may go back.
    pub soak: bool,
    /// The runner has no source of live versions.
    pub blind: bool,
    /// Where the changes stand in the beginning.
    pub start: SchemaPhase,
    pub dropped: Option<Guard>,
}

impl Scenario {
    pub(super) fn changes(&self) -> usize {
        self.plans[0].targets.len()
    }

    pub(super) fn has(&self, guard: Guard) -> bool {
        self.dropped != Some(guard)
    }

    /// The same, begun at a later phase: where a counterexample needs no way there.
    pub(super) fn from(mut self, phase: SchemaPhase) -> Self {
        self.start = phase;
        self
    }

    pub(super) fn without(mut self, guard: Guard) -> Self {
        self.dropped = Some(guard);
        self
    }
}
