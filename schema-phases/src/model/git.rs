//! Git: which plan it asks for. It may change its mind at any time, to any plan of the model.

use super::{
    system::System,
    world::{Pod, VERSIONS, World, bit},
};

pub(super) fn ask_for(system: &System, world: &World, plan: u8) -> Option<World> {
    if plan == world.wanted {
        return None;
    }
    let plans = &system.scenario.plans;
    let removed = plans[usize::from(world.wanted)].consumers & !plans[usize::from(plan)].consumers;
    // A consumer is taken out of the declaration after it has stopped.
    for (index, app) in world.apps.iter().enumerate() {
        for version in 0..VERSIONS {
            if removed & bit(index, version as u8) != 0 && app.pods[version] != Pod::None {
                return None;
            }
        }
    }
    Some(World { wanted: plan, acknowledged: false, ..*world })
}
