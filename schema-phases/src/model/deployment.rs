//! A Deployment: no canary, no stable ReplicaSet. Either nobody asks, or each pod does in an init container.

use super::{
    rollout::{Control, Deed, only},
    scenario::{AppPlan, Kind},
    world::{App, Entry, VERSIONS},
};

pub(super) fn deed(plan: &AppPlan, app: &App, deed: Deed) -> Option<App> {
    let mut next = *app;
    match deed {
        Deed::Update(version) => {
            app.template.filter(|template| *template != version)?;
            next.template = Some(version);
            enter(plan.kind, &mut next, version);
        }
        Deed::Create(version) if app.template.is_none() => {
            next.template = Some(version);
            enter(plan.kind, &mut next, version);
        }
        Deed::Delete => {
            app.template?;
            next = App { template: None, up: true, ..next };
        }
        Deed::ScaleDown if app.up => next.up = false,
        Deed::ScaleUp if !app.up => next.up = true,
        _ => return None,
    }
    Some(tidy(next))
}

/// Only the version in the template can be started.
fn tidy(mut app: App) -> App {
    for version in 0..VERSIONS as u8 {
        if app.template != Some(version) {
            app.entry[usize::from(version)] = Entry::Outside;
        }
    }
    app
}

/// Without a gate the new template is in at once.
fn enter(kind: Kind, app: &mut App, version: u8) {
    if kind == Kind::Plain {
        app.force(version);
    }
}

pub(super) fn control(plan: &AppPlan, app: &App, step: Control) -> Option<App> {
    let desired = |version: u8| app.up && app.template == Some(version);
    let mut next = *app;
    match step {
        Control::SetUp(version) if desired(version) && !app.has_set(version) => {
            // Where each pod asks for itself, how the ReplicaSet came about tells nothing.
            let entry = app.entry[usize::from(version)];
            next.sets[usize::from(version)] = if plan.kind == Kind::Plain { entry } else { Entry::Forced };
        }
        Control::SetDown(version) if !desired(version) && app.has_set(version) => {
            next.sets[usize::from(version)] = Entry::Outside;
        }
        _ => return None,
    }
    Some(tidy(next))
}

pub(super) fn is_at_goal(app: &App, goal: u8) -> bool {
    app.template == Some(goal) && app.up && only(app, goal)
}
