//! Whoever acts, and what they do: one step of the world.

use std::fmt;

use super::{
    loose, pods, rollout, runner,
    scenario::{Kind, Scenario},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Git asks for a plan.
    Git(u8),
    Runner(usize, runner::Step),
    Owner(usize, rollout::Deed),
    Controller(usize, rollout::Control),
    Gate(usize, u8, rollout::Ask),
    Kubelet(usize, u8, pods::Step),
    Loose(usize, loose::Deed),
}

/// Everything that can ever happen in a model.
pub(super) fn all(scenario: &Scenario) -> Vec<Action> {
    let mut actions: Vec<Action> = (0..scenario.plans.len() as u8).map(Action::Git).collect();
    for slot in 0..usize::from(scenario.runners) {
        let steps = runner::Step::all(scenario);
        actions.extend(steps.into_iter().map(|step| Action::Runner(slot, step)));
    }
    for (app, plan) in scenario.apps.iter().enumerate() {
        if matches!(plan.kind, Kind::Loose | Kind::Consumer) {
            actions.extend(loose::Deed::all(plan).into_iter().map(|deed| Action::Loose(app, deed)));
        } else {
            actions.extend(rollout::Deed::all(plan).into_iter().map(|deed| Action::Owner(app, deed)));
            actions.extend(rollout::Control::all(plan).into_iter().map(|step| Action::Controller(app, step)));
        }
        for version in 0..plan.versions.len() as u8 {
            actions.extend(pods::Step::all(plan).into_iter().map(|step| Action::Kubelet(app, version, step)));
            if plan.kind != Kind::Plain {
                let asks = [rollout::Ask::Question, rollout::Ask::LetIn, rollout::Ask::Forget];
                actions.extend(asks.map(|ask| Action::Gate(app, version, ask)));
            }
        }
    }
    actions
}

impl Action {
    /// Whether a good end may count on it: machines that work, and Git and people who do what leads to the goal and
    /// nothing else. No crash, no force, no change of mind.
    pub(super) fn helps(self, scenario: &Scenario) -> bool {
        match self {
            Self::Git(plan) => plan == scenario.goal,
            Self::Runner(_, step) => step.helps(scenario.goal),
            Self::Owner(app, deed) => deed.helps(scenario.apps[app].goal),
            Self::Loose(app, deed) => deed.helps(scenario.apps[app].goal),
            Self::Kubelet(_, _, step) => step.helps(),
            Self::Controller(..) => true,
            Self::Gate(_, _, ask) => ask != rollout::Ask::Forget,
        }
    }

    /// For people: `app 0, gate: LetIn v2`.
    pub(super) fn told(self, scenario: &Scenario) -> String {
        Told(self, scenario).to_string()
    }
}

struct Told<'a>(Action, &'a Scenario);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |app: usize, version: u8| self.1.apps[app].versions[usize::from(version)].name;
        match self.0 {
            Action::Git(plan) => write!(f, "Git asks for plan {plan}: {:?}", self.1.plans[usize::from(plan)].targets),
            Action::Runner(slot, step) => write!(f, "runner {slot}: {step:?}"),
            Action::Owner(app, rollout::Deed::Update(version)) => {
                write!(f, "app {app}: template becomes {}", name(app, version))
            }
            Action::Owner(app, deed) => write!(f, "app {app}: {deed:?}"),
            Action::Controller(app, rollout::Control::SetUp(v)) => {
                write!(f, "app {app}: ReplicaSet {} up", name(app, v))
            }
            Action::Controller(app, rollout::Control::SetDown(v)) => {
                write!(f, "app {app}: ReplicaSet {} down", name(app, v))
            }
            Action::Controller(app, step) => write!(f, "app {app}: {step:?}"),
            Action::Gate(app, version, ask) => write!(f, "app {app}: gate of {}: {ask:?}", name(app, version)),
            Action::Kubelet(app, version, step) => write!(f, "app {app}: pod {}: {step:?}", name(app, version)),
            Action::Loose(app, loose::Deed::Appear(v)) => write!(f, "app {app}: {} appears", name(app, v)),
            Action::Loose(app, loose::Deed::Force(v)) => write!(f, "app {app}: {} comes in by force", name(app, v)),
            Action::Loose(app, loose::Deed::Leave(v)) => write!(f, "app {app}: {} leaves", name(app, v)),
        }
    }
}
