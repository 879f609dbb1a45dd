//! Versions and plans brought together: what the rules about windows share.

use schema_changes::{Plan, SchemaChange};
use schema_phases::{AppVersion, LiveChange, PhaseWindow, SchemaPhase, Span, Unclear};

use crate::{
    declared::{Declared, DeclaredPlan},
    manifest::{node::Node, workload::Version},
};

/// The changes of a plan, as the rules of `schema-phases` want them. Where they stand no file says.
pub(crate) fn live_changes(plan: &Plan) -> Vec<LiveChange> {
    let at_rest = |change: &SchemaChange| LiveChange {
        profile: change.profile.clone(),
        span: Span::AtRest(SchemaPhase::Pending),
    };
    plan.changes.iter().map(at_rest).collect()
}

/// `Rollout/customers`.
pub(crate) fn title_of(version: &Version<'_>) -> String {
    version.title()
}

/// A version and one of the databases it is labelled with, which this checkout declares.
pub(super) struct Use<'a> {
    pub(super) version: Version<'a>,
    pub(super) plan: &'a DeclaredPlan,
}

pub(super) fn uses(declared: &Declared) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    for version in declared.versions() {
        for plan in declared.plans.iter().filter(|plan| version.uses(&plan.plan.database.name)) {
            uses.push(Use { version, plan });
        }
    }
    uses
}

impl<'a> Use<'a> {
    pub(super) fn supports(&self) -> Option<&'a Node> {
        self.version.supports(&self.plan.plan.database.name)
    }

    /// The line of the annotation, or of the template that lacks it.
    pub(super) fn line(&self) -> u32 {
        self.supports().map_or(self.version.line(), |node| node.line)
    }

    pub(super) fn file(&self) -> &'a str {
        &self.version.written_in.file
    }

    pub(super) fn app_version(&self) -> AppVersion {
        let annotation = self.supports().and_then(Node::as_text).unwrap_or_default().to_owned();
        AppVersion { name: title_of(&self.version), annotation }
    }

    /// The window for each change, where it can be told.
    pub(super) fn windows(&self) -> Vec<(&'a SchemaChange, PhaseWindow)> {
        let live = live_changes(&self.plan.plan);
        let version = self.app_version();
        let changes = self.plan.plan.changes.iter();
        changes.filter_map(|change| Some((change, version.window(&change.profile, &live).ok()?))).collect()
    }

    /// The gate's own, strict reading.
    pub(super) fn strictly(&self) -> Result<Vec<PhaseWindow>, Unclear> {
        self.app_version().windows(&live_changes(&self.plan.plan))
    }
}

/// How much a version needs a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// It works in every phase of every change.
    None,
    /// It was built for an old shape: only when it comes back after a contract must it be held.
    Late,
    /// It was built for a new shape: it must be held until that is there.
    Now,
}

pub(super) fn need_of_a_gate(version: &Version<'_>, declared: &Declared) -> Need {
    let mut need = Need::None;
    for (name, _) in version.databases() {
        let Some(plan) = declared.plans.iter().find(|plan| plan.plan.database.name == name) else {
            // Declared elsewhere: nobody here knows its changes.
            need = need.max(Need::Late);
            continue;
        };
        for (_, window) in (Use { version: *version, plan }).windows() {
            need = need.max(if window.first() > SchemaPhase::Pending {
                Need::Now
            } else if window.last() < SchemaPhase::Contracted {
                Need::Late
            } else {
                Need::None
            });
        }
    }
    need
}
