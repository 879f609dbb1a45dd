//! One state of everything: small, `Copy`, and without anything that no longer matters, so that equal futures are equal
//! states.

use crate::phase::{Move, SchemaPhase, Span};

/// At most this many changes, apps, runners at once, and versions of one app.
pub(super) const CHANGES: usize = 2;
pub(super) const APPS: usize = 2;
pub(super) const RUNNERS: usize = 2;
pub(super) const VERSIONS: usize = 3;

/// Every version of every app, as bits.
pub(super) type Versions = u8;

/// The bit of one version.
pub(super) const fn bit(app: usize, version: u8) -> Versions {
    1 << (app as u8 * VERSIONS as u8 + version)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct World {
    /// What the ledger says of each change.
    pub ledger: [Span; CHANGES],
    /// Where the schema really is: the lowest and the highest phase whose shape parts of it may have.
    pub physical: [(u8, u8); CHANGES],
    /// The plan whose digest Git wants.
    pub wanted: u8,
    /// A runner has told Git that the wanted plan is done.
    pub acknowledged: bool,
    /// A runner wrote after another one had raised the generation.
    pub second_commit: bool,
    pub runners: [Runner; RUNNERS],
    pub apps: [App; APPS],
}

/// One process of the runner, or the room for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Runner {
    pub at: At,
    /// It holds the session lock. A runner that lost it does not know.
    pub locked: bool,
    /// Another one has raised the generation since.
    pub stale: bool,
    /// The plan it carries; 0 where that no longer matters.
    pub plan: u8,
    pub change: u8,
    pub step: Option<Move>,
    /// The live versions it has read so far in the look it is in.
    pub seen: Versions,
}

/// What a runner does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// No process.
    Off,
    /// Has the lock and a generation of its own; has not asked which plan is wanted.
    Fresh,
    /// Its plan is the wanted one.
    Current,
    /// First look: owners were read, ReplicaSets and pods were not.
    LookSets,
    LookPods,
    Intend,
    /// The intent is written; the second look comes.
    Again,
    AgainSets,
    AgainPods,
    Withdraw,
    /// Nothing blocks: the ledger will say that the move acts.
    Act,
    /// The ledger says so; the schema will be touched.
    Touch,
    /// The schema is between the phases.
    Finish,
    /// The schema is there; the ledger will say so.
    Settle,
}

impl Runner {
    pub(super) const OFF: Self =
        Self { at: At::Off, locked: false, stale: false, plan: 0, change: 0, step: None, seen: 0 };
}

/// One workload, or a crowd of loose versions. What a kind does not have stays at its first value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct App {
    /// The version in the owner's pod template; none when there is no owner.
    pub template: Option<u8>,
    /// The version that `status.stableRS` names.
    pub stable: Option<u8>,
    /// The version inside the rollbackWindow.
    pub back: Option<u8>,
    pub gate: Gate,
    pub aborted: bool,
    /// The owner's replicas are above zero.
    pub up: bool,
    /// How the owner came to be allowed to start each version, while it may: as stable, past the gate, or set back.
    pub entry: [Entry; VERSIONS],
    /// How each ReplicaSet that has replicas came by them.
    pub sets: [Entry; VERSIONS],
    pub pods: [Pod; VERSIONS],
}

/// The step plugin's question about the canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Waiting,
    /// The gate said yes, and the controller has not acted on it.
    Told,
    Past,
}

/// All pods of one version together; the one that can do most harm speaks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pod {
    None,
    /// Its init container asks.
    Waiting,
    /// It was told yes, and does not serve yet.
    Told,
    Serving(Entry),
    /// Terminating, and serving until its object is gone.
    Leaving(Entry),
}

/// How something came in: it stays so as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Outside,
    /// Through a gate, or there before the first change.
    Gated,
    /// Through a door that has no gate.
    Forced,
}

impl App {
    pub(super) const EMPTY: Self = Self {
        template: None,
        stable: None,
        back: None,
        gate: Gate::Waiting,
        aborted: false,
        up: true,
        entry: [Entry::Outside; VERSIONS],
        sets: [Entry::Outside; VERSIONS],
        pods: [Pod::None; VERSIONS],
    };

    pub(super) fn has_set(&self, version: u8) -> bool {
        self.sets[usize::from(version)] != Entry::Outside
    }

    /// Lets `version` in by a door without a gate, unless the owner may start it already.
    pub(super) fn force(&mut self, version: u8) {
        let entry = &mut self.entry[usize::from(version)];
        if *entry == Entry::Outside {
            *entry = Entry::Forced;
        }
    }

    /// Lets `version` in by the gate, with all there is of it.
    pub(super) fn let_in(&mut self, version: u8) {
        let version = usize::from(version);
        self.entry[version] = Entry::Gated;
        if self.sets[version] != Entry::Outside {
            self.sets[version] = Entry::Gated;
        }
        self.pods[version] = match self.pods[version] {
            Pod::Serving(_) => Pod::Serving(Entry::Gated),
            Pod::Leaving(_) => Pod::Leaving(Entry::Gated),
            other @ (Pod::None | Pod::Waiting | Pod::Told) => other,
        };
    }
}

impl World {
    pub(super) const START: Self = Self {
        ledger: [Span::AtRest(SchemaPhase::Pending); CHANGES],
        physical: [(0, 0); CHANGES],
        wanted: 0,
        acknowledged: false,
        second_commit: false,
        runners: [Runner::OFF; RUNNERS],
        apps: [App::EMPTY; APPS],
    };
}
