//! The tests: every model holds, and a good end stays reachable from each of its states.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    action::Action,
    explore::{Explored, explore, shortest_way},
    properties::INSIDE,
    scenario::Scenario,
    scenarios,
    system::System,
    world::World,
};

/// Explores a model to its last state, twice: by stateright for what must always be so, and backwards for what must
/// stay reachable. The number of its states is written down, so that it cannot shrink unseen; a change to it also
/// belongs on the page `docs/decisions/0001`.
fn holds(scenario: &Scenario, states: usize) {
    let name = scenario.name;
    let system = System::of(scenario);
    let found = explored(&system);
    if let Some(stuck) = found.way_to_stuck.last() {
        println!("{} states on the way there: {:#?}", found.way_to_stuck.len(), found.way_to_stuck);
        panic!("model {name}: {} of {} states never reach a good end, such as {stuck:?}", found.stuck, found.states);
    }
    assert!(found.ends > 0, "model {name} has no good end");
    let happened = found.happened.iter().zip(actions(&system));
    let never: Vec<String> =
        happened.filter(|(happened, _)| !**happened).map(|(_, action)| action.told(scenario)).collect();
    assert!(never.is_empty(), "model {name} is too small: these never happen: {never:#?}");

    let checker = system.checker().threads(2).spawn_bfs().join();
    if let Some((property, path)) = checker.discoveries().into_iter().next() {
        panic!("model {name} breaks `{property}`:\n{}", told(scenario, path.into_actions()));
    }
    assert_eq!(checker.unique_state_count(), found.states, "both explorers see the same states");
    println!(
        "model {name}: {} states, {} transitions, depth {}, no counterexample, {} states from which the good end is \
         unreachable",
        found.states, found.transitions, found.depth, found.stuck
    );
    assert_eq!(found.states, states, "model {name} has changed its size: write the new one here and on its page");
}

fn explored(system: &System) -> Explored<World> {
    explore(system, System::is_good_end, |system, action| action.helps(&system.scenario))
}

fn actions(system: &System) -> Vec<Action> {
    let mut actions = Vec::new();
    system.actions(&World::START, &mut actions);
    actions
}

fn told(scenario: &Scenario, actions: Vec<Action>) -> String {
    let lines = actions.into_iter().enumerate();
    lines.map(|(index, action)| format!("  {:2}. {}\n", index + 1, action.told(scenario))).collect()
}

/// Expects `property` to break in `scenario`, and shows the shortest way there.
pub(super) fn breaks(scenario: &Scenario, property: &'static str) {
    let name = scenario.name;
    let dropped = scenario.dropped.map_or_else(|| "anything more".to_owned(), |guard| format!("{guard:?}"));
    let stop = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = System::of(scenario).checker().finish_when(stop).threads(2).spawn_bfs().join();
    assert!(
        checker.discovery(property).is_some(),
        "model {name} without {dropped} still keeps `{property}`: it is too small"
    );
    let system = System::of(scenario);
    let kept = system.property(property).condition;
    let actions = shortest_way(&system, |system, world| !kept(system, world)).unwrap();
    println!("model {name} without {dropped} breaks `{property}` in {} steps:", actions.len());
    println!("{}", told(scenario, actions));
}

#[test]
fn one_runner_and_versions_that_come_and_go() {
    holds(&scenarios::one_runner(), 85_592);
}

#[test]
fn everything_is_reverted() {
    holds(&scenarios::revert(), 50_400);
}

#[test]
fn two_runners_overlap() {
    holds(&scenarios::two_runners(), 1_809_024);
}

#[test]
fn a_rollout_with_all_that_its_controller_does() {
    holds(&scenarios::rollout(), 85_176);
}

#[test]
fn a_rollout_with_every_door_open() {
    holds(&scenarios::doors(), 619_294);
}

#[test]
fn a_canary_superseded_at_any_moment() {
    holds(&scenarios::supersede(), 2_203_848);
}

#[test]
#[ignore = "a minute and a half and 2.4 GB: run it when the protocol changes"]
fn a_canary_superseded_at_any_moment_with_slow_pods_and_aborts() {
    holds(&scenarios::supersede_deep(), 10_058_106);
}

#[test]
fn a_rollout_rolled_back_with_its_schema() {
    holds(&scenarios::rollout_revert(), 530_842);
}

#[test]
fn two_workloads_on_one_database() {
    holds(&scenarios::two_workloads(), 1_165_696);
}

#[test]
fn pods_that_ask_for_themselves() {
    holds(&scenarios::init_gate(), 1_419_392);
}

#[test]
fn a_consumer_outside_the_cluster() {
    holds(&scenarios::consumer(), 2_256);
}

#[test]
fn two_changes_on_one_table() {
    holds(&scenarios::two_changes(), 197_472);
}

#[test]
fn no_source_of_live_versions() {
    holds(&scenarios::blind(), 5_548);
}

#[test]
fn without_a_source_of_live_versions_a_window_shorter_than_either_shape_s_is_not_protected() {
    // Known, and said by the runner: it moves only where neither shape would be harmed, and can know no more.
    breaks(&scenarios::blind_to_a_shorter_window(), INSIDE);
}

#[test]
fn a_canary_and_a_stable_version_that_share_no_phase_never_reach_the_end() {
    // The trap `lint` names. It also shows that the search backwards can fail.
    let found = explored(&System::of(&scenarios::trap()));
    assert!(found.stuck == found.states && found.states > 10, "{} of {}", found.stuck, found.states);
}
