//! The whole as a `stateright` model: a scenario, the rules, and everything that can happen.

use stateright::{Model, Property};

use super::{
    action::{self, Action},
    deployment, git, loose, pods, properties, rollout,
    rules::{Rules, Said},
    runner,
    scenario::{Guard, Kind, Scenario},
    world::{App, Entry, Pod, World},
};
use crate::Span;

pub(super) struct System {
    pub scenario: Scenario,
    pub rules: Rules,
    actions: Vec<Action>,
}

impl System {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self { scenario: scenario.clone(), rules: Rules::of(scenario), actions: action::all(scenario) }
    }

    /// What the gate says now to one version.
    pub(super) fn gate_says(&self, world: &World, app: usize, canary: u8, stable: Option<u8>) -> Said {
        let mut spans = world.ledger;
        if !self.scenario.has(Guard::SpanGate) {
            spans = spans.map(|span| Span::AtRest(span.at()));
        }
        self.rules.judge(app, canary, stable, &spans)
    }

    fn app_after(&self, world: &World, action: Action) -> Option<(usize, App)> {
        let plan = |app: usize| &self.scenario.apps[app];
        Some(match action {
            Action::Git(_) | Action::Runner(..) => return None,
            Action::Owner(app, deed) if plan(app).kind == Kind::Rollout => {
                (app, rollout::deed(plan(app), &world.apps[app], deed)?)
            }
            Action::Owner(app, deed) => (app, deployment::deed(plan(app), &world.apps[app], deed)?),
            Action::Controller(app, step) if plan(app).kind == Kind::Rollout => {
                (app, rollout::control(plan(app), &world.apps[app], step)?)
            }
            Action::Controller(app, step) => (app, deployment::control(plan(app), &world.apps[app], step)?),
            Action::Gate(app, version, ask) if plan(app).kind == Kind::Rollout => {
                (app, rollout::ask(self, world, app, version, ask)?)
            }
            Action::Gate(app, version, ask) => (app, loose::ask(self, world, app, version, ask)?),
            Action::Kubelet(app, version, step) => (app, pods::step(plan(app), &world.apps[app], version, step)?),
            Action::Loose(app, deed) => (app, loose::deed(self, world, app, deed)?),
        })
    }

    /// Git's last wish is fulfilled and everybody is at rest.
    pub(super) fn is_good_end(&self, world: &World) -> bool {
        let targets = &self.scenario.plans[usize::from(self.scenario.goal)].targets;
        let reached = targets.iter().zip(&world.ledger).all(|(target, span)| target.is_reached(*span));
        let apps = self.scenario.apps.iter().zip(&world.apps).all(|(plan, app)| match (plan.kind, plan.goal) {
            (Kind::Rollout, Some(goal)) => rollout::is_at_goal(app, goal),
            (Kind::Plain | Kind::InitGated, Some(goal)) => deployment::is_at_goal(app, goal),
            (Kind::Rollout | Kind::Plain | Kind::InitGated, None) => {
                app.template.is_none() && app.sets == App::EMPTY.sets
            }
            (Kind::Loose | Kind::Consumer, goal) => loose::is_at_goal(app, goal),
        });
        let quiet = world.runners.iter().all(|runner| *runner == super::world::Runner::OFF);
        world.wanted == self.scenario.goal && reached && apps && quiet && world.acknowledged
    }
}

impl Model for System {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut world = World::START;
        for change in 0..self.scenario.changes() {
            world.ledger[change] = Span::AtRest(self.scenario.start);
            world.physical[change] = (self.scenario.start.rank(), self.scenario.start.rank());
        }
        for (app, plan) in world.apps.iter_mut().zip(&self.scenario.apps) {
            let Some(first) = plan.first else { continue };
            app.pods[usize::from(first)] = Pod::Serving(Entry::Gated);
            if !matches!(plan.kind, Kind::Loose | Kind::Consumer) {
                app.template = Some(first);
                app.sets[usize::from(first)] = Entry::Gated;
                app.entry[usize::from(first)] = Entry::Gated;
            }
            if plan.kind == Kind::Rollout {
                app.stable = Some(first);
            }
        }
        vec![world]
    }

    fn actions(&self, _: &World, actions: &mut Vec<Action>) {
        // `next_state` leaves out what cannot happen now.
        actions.extend(&self.actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        match action {
            Action::Git(plan) => git::ask_for(self, world, plan),
            Action::Runner(slot, step) => runner::step(self, world, slot, step),
            other => {
                let (index, app) = self.app_after(world, other)?;
                let mut next = *world;
                next.apps[index] = app;
                (next != *world).then_some(next)
            }
        }
    }

    fn format_action(&self, action: &Action) -> String {
        action.told(&self.scenario)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
