//! The Argo Rollouts controller and what people do to a Rollout, as research on its sources and DESIGN section 3 have it.
//!
//! The gate is the first canary step. A first deploy, a rollback to stable, a rollback inside the rollbackWindow,
//! `promote` and `promote --full` pass it by. An abort, or a Refuse, sends all traffic back to stable.

use super::{
    rules::Said,
    scenario::{AppPlan, Freedom, Kind},
    system::System,
    world::{App, Entry, Gate, Pod, VERSIONS, World},
};

/// What people and Git do to an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The template becomes this version: update, undo or supersede.
    Update(u8),
    ScaleDown,
    ScaleUp,
    Abort,
    Retry,
    /// `promote` passes the gate's step over.
    Skip,
    PromoteFull,
    Delete,
    /// A first deploy.
    Create(u8),
    /// Further revisions push the old one out of the rollbackWindow.
    MoveOn,
}

/// What the controller does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    SetUp(u8),
    SetDown(u8),
    Promote,
}

/// What passes between the gate and the controller about one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Question,
    LetIn,
    /// The controller or the gate dies with a yes in hand.
    Forget,
}

impl Deed {
    /// What is possible in a model: what it frees people to do, and what leads to the goal.
    pub(super) fn all(plan: &AppPlan) -> Vec<Self> {
        let goal = plan.goal;
        let mut deeds = Vec::new();
        if plan.kind == Kind::Rollout {
            // The gate itself may abort.
            deeds.push(Self::Retry);
        }
        for version in 0..plan.versions.len() as u8 {
            if plan.allows(Freedom::Update) || goal == Some(version) {
                deeds.push(Self::Update(version));
            }
            if plan.allows(Freedom::Recreate) {
                deeds.push(Self::Create(version));
            }
        }
        let freed = [
            (Freedom::Scale, Self::ScaleDown),
            (Freedom::Scale, Self::ScaleUp),
            (Freedom::RollbackWindow, Self::MoveOn),
            (Freedom::Abort, Self::Abort),
            (Freedom::Skip, Self::Skip),
            (Freedom::PromoteFull, Self::PromoteFull),
            (Freedom::Recreate, Self::Delete),
        ];
        deeds.extend(freed.into_iter().filter(|(freedom, _)| plan.allows(*freedom)).map(|(_, deed)| deed));
        deeds
    }

    pub(super) fn helps(self, goal: Option<u8>) -> bool {
        match self {
            Self::Update(version) | Self::Create(version) => goal == Some(version),
            Self::Retry | Self::ScaleUp | Self::MoveOn => true,
            Self::ScaleDown | Self::Abort | Self::Skip | Self::PromoteFull | Self::Delete => false,
        }
    }
}

impl Control {
    pub(super) fn all(plan: &AppPlan) -> Vec<Self> {
        let versions = 0..plan.versions.len() as u8;
        let mut steps: Vec<Self> =
            versions.flat_map(|version| [Self::SetUp(version), Self::SetDown(version)]).collect();
        if plan.kind == Kind::Rollout {
            steps.push(Self::Promote);
        }
        steps
    }
}

/// The version on its way in, if there is one.
fn canary(app: &App) -> Option<u8> {
    app.template.filter(|template| app.stable != Some(*template))
}

pub(super) fn deed(plan: &AppPlan, app: &App, deed: Deed) -> Option<App> {
    let mut next = *app;
    match deed {
        Deed::Update(version) => {
            app.template.filter(|template| *template != version)?;
            next.template = Some(version);
            next.aborted = false;
            next.gate = Gate::Waiting;
            if app.back == Some(version) {
                next.gate = Gate::Past;
                next.force(version);
            }
        }
        Deed::ScaleDown if app.up => next.up = false,
        Deed::ScaleUp if !app.up => next.up = true,
        Deed::Abort if canary(app).is_some() && !app.aborted => abort(&mut next),
        Deed::Retry if app.aborted => next.aborted = false,
        Deed::Skip if app.gate != Gate::Past && !app.aborted => {
            next.gate = Gate::Past;
            next.force(canary(app)?);
        }
        Deed::PromoteFull => {
            next.force(canary(app)?);
            promote(plan, &mut next);
        }
        Deed::Delete => {
            app.template?;
            next =
                App { template: None, stable: None, back: None, gate: Gate::Waiting, aborted: false, up: true, ..next };
        }
        Deed::Create(version) if app.template.is_none() => {
            next.template = Some(version);
            next.stable = Some(version);
            next.force(version);
        }
        Deed::MoveOn if app.back.is_some() && app.back != app.template => next.back = None,
        Deed::ScaleDown | Deed::ScaleUp | Deed::Abort | Deed::Retry | Deed::Skip | Deed::Create(_) | Deed::MoveOn => {
            return None;
        }
    }
    Some(tidy(next))
}

fn abort(app: &mut App) {
    app.aborted = true;
    app.gate = Gate::Waiting;
}

fn promote(plan: &AppPlan, app: &mut App) {
    app.back = if plan.allows(Freedom::RollbackWindow) { app.stable } else { None };
    app.stable = app.template;
    app.gate = Gate::Waiting;
    app.aborted = false;
}

pub(super) fn ask(system: &System, world: &World, index: usize, version: u8, ask: Ask) -> Option<App> {
    let app = &world.apps[index];
    if canary(app)? != version || app.aborted {
        return None;
    }
    let mut next = *app;
    match (ask, app.gate) {
        (Ask::Question, Gate::Waiting) => match system.gate_says(world, index, version, app.stable) {
            Said::Proceed => next.gate = Gate::Told,
            Said::Wait => return None,
            Said::Refuse => abort(&mut next),
        },
        (Ask::LetIn, Gate::Told) => {
            next.gate = Gate::Past;
            next.let_in(version);
        }
        (Ask::Forget, Gate::Told) => next.gate = Gate::Waiting,
        _ => return None,
    }
    Some(tidy(next))
}

pub(super) fn control(plan: &AppPlan, app: &App, step: Control) -> Option<App> {
    let mut next = *app;
    match step {
        Control::SetUp(version) if desired(app, version) && !app.has_set(version) => {
            next.sets[usize::from(version)] = app.entry[usize::from(version)];
        }
        Control::SetDown(version) if !desired(app, version) && app.has_set(version) => {
            next.sets[usize::from(version)] = Entry::Outside;
        }
        Control::Promote => {
            let canary = canary(app).filter(|_| app.gate == Gate::Past && !app.aborted)?;
            if !matches!(app.pods[usize::from(canary)], Pod::Serving(_)) {
                return None;
            }
            promote(plan, &mut next);
        }
        Control::SetUp(_) | Control::SetDown(_) => return None,
    }
    Some(tidy(next))
}

/// Forgets how a version came in once the owner cannot start it without asking again.
fn tidy(mut app: App) -> App {
    for version in 0..VERSIONS as u8 {
        let past = app.template == Some(version) && app.gate == Gate::Past;
        if !past && app.stable != Some(version) && app.back != Some(version) {
            app.entry[usize::from(version)] = Entry::Outside;
        }
    }
    app
}

fn desired(app: &App, version: u8) -> bool {
    let past = app.template == Some(version) && app.gate == Gate::Past && !app.aborted;
    app.up && (app.stable == Some(version) || past)
}

/// Only the goal is left: at its owner, in its ReplicaSet, as a pod.
pub(super) fn is_at_goal(app: &App, goal: u8) -> bool {
    let named = app.template == Some(goal) && app.stable == Some(goal) && app.back.is_none();
    named && app.up && !app.aborted && only(app, goal)
}

/// No other version has a ReplicaSet with replicas or a pod.
pub(super) fn only(app: &App, goal: u8) -> bool {
    (0..VERSIONS as u8).all(|version| {
        let pod = app.pods[usize::from(version)];
        let alone = if version == goal { matches!(pod, Pod::Serving(_)) } else { pod == Pod::None };
        alone && app.has_set(version) == (version == goal)
    })
}
