//! The kubelet and the ReplicaSet controller: pods of a version start, stop, take their time, die.

use super::{
    scenario::{AppPlan, Freedom, Kind},
    world::{App, Entry, Pod},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Start,
    Stop,
    /// The object of a terminating pod is gone, and the process with it.
    Gone,
    Die,
}

impl Step {
    pub(super) fn all(plan: &AppPlan) -> Vec<Self> {
        let has_owner = !matches!(plan.kind, Kind::Loose | Kind::Consumer);
        let steps = [
            (has_owner, Self::Start),
            (has_owner, Self::Stop),
            (plan.allows(Freedom::SlowEnd), Self::Gone),
            (plan.allows(Freedom::PodsDie), Self::Die),
        ];
        steps.into_iter().filter(|(has, _)| *has).map(|(_, step)| step).collect()
    }

    pub(super) const fn helps(self) -> bool {
        !matches!(self, Self::Die)
    }
}

pub(super) fn step(plan: &AppPlan, app: &App, version: u8, step: Step) -> Option<App> {
    let pod = app.pods[usize::from(version)];
    let set = app.sets[usize::from(version)];
    let pod = match (step, pod, set) {
        (Step::Start, Pod::None, Entry::Gated | Entry::Forced) if plan.kind == Kind::InitGated => Pod::Waiting,
        (Step::Start, Pod::None, Entry::Gated | Entry::Forced) => Pod::Serving(set),
        // A new pod beside a terminating one: the version goes on serving.
        (Step::Start, Pod::Leaving(entry), _) if entry == set && plan.kind != Kind::InitGated => Pod::Serving(entry),
        (Step::Stop, Pod::Waiting | Pod::Told, Entry::Outside) => Pod::None,
        (Step::Stop, Pod::Serving(entry), Entry::Outside) => ended(plan, entry),
        (Step::Gone, Pod::Leaving(_), _) => Pod::None,
        (Step::Die, Pod::Serving(_), _) if plan.allows(Freedom::PodsDie) => Pod::None,
        _ => return None,
    };
    let mut next = *app;
    next.pods[usize::from(version)] = pod;
    Some(next)
}

/// What a serving pod is once it was told to end.
pub(super) fn ended(plan: &AppPlan, entry: Entry) -> Pod {
    if plan.allows(Freedom::SlowEnd) { Pod::Leaving(entry) } else { Pod::None }
}
