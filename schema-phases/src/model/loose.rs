//! Versions that come and go each by itself, and ask for themselves: the most general app there can be. A consumer
//! outside the cluster is one that may begin only once the wanted plan declares it.

use super::{
    pods::ended,
    rollout::Ask,
    rules::Said,
    scenario::{AppPlan, Kind},
    system::System,
    world::{App, Entry, Pod, World, bit},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Appear(u8),
    /// By a door without a gate.
    Force(u8),
    Leave(u8),
}

impl Deed {
    pub(super) fn all(plan: &AppPlan) -> Vec<Self> {
        let mut deeds = Vec::new();
        for version in 0..plan.versions.len() as u8 {
            deeds.extend([Self::Appear(version), Self::Leave(version)]);
            if plan.may_force(version) {
                deeds.push(Self::Force(version));
            }
        }
        deeds
    }

    pub(super) fn helps(self, goal: Option<u8>) -> bool {
        match self {
            Self::Appear(version) => goal == Some(version),
            Self::Leave(version) => goal != Some(version),
            Self::Force(_) => false,
        }
    }
}

pub(super) fn deed(system: &System, world: &World, index: usize, deed: Deed) -> Option<App> {
    let (plan, mut next) = (&system.scenario.apps[index], world.apps[index]);
    match deed {
        Deed::Appear(version) => {
            let declared = system.scenario.plans[usize::from(world.wanted)].consumers & bit(index, version) != 0;
            let pod = &mut next.pods[usize::from(version)];
            if *pod != Pod::None || (plan.kind == Kind::Consumer && !declared) {
                return None;
            }
            *pod = Pod::Waiting;
        }
        Deed::Force(version) => {
            let pod = &mut next.pods[usize::from(version)];
            if matches!(pod, Pod::Serving(_) | Pod::Leaving(_)) {
                return None;
            }
            *pod = Pod::Serving(Entry::Forced);
        }
        Deed::Leave(version) => {
            let pod = &mut next.pods[usize::from(version)];
            *pod = match *pod {
                Pod::Serving(entry) => ended(plan, entry),
                Pod::Waiting | Pod::Told => Pod::None,
                Pod::None | Pod::Leaving(_) => return None,
            };
        }
    }
    Some(next)
}

/// What a pod's own gate does: also the init container of a Deployment's pod.
pub(super) fn ask(system: &System, world: &World, index: usize, version: u8, ask: Ask) -> Option<App> {
    let mut next = world.apps[index];
    let pod = &mut next.pods[usize::from(version)];
    *pod = match (ask, *pod) {
        (Ask::Question, Pod::Waiting) if system.gate_says(world, index, version, None) == Said::Proceed => Pod::Told,
        (Ask::Forget, Pod::Told) => Pod::Waiting,
        (Ask::LetIn, Pod::Told) => Pod::Serving(Entry::Gated),
        _ => return None,
    };
    Some(next)
}

pub(super) fn is_at_goal(app: &App, goal: Option<u8>) -> bool {
    app.pods.iter().enumerate().all(|(version, pod)| {
        if goal == Some(version as u8) { matches!(pod, Pod::Serving(_)) } else { *pod == Pod::None }
    })
}
