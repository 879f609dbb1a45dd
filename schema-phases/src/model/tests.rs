//! The tests: every model holds, a good end stays reachable from each of its states, and no guard can go.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    explore::explore,
    guards, properties,
    scenario::{Guard, Scenario},
    scenarios,
    system::System,
};

/// Explores a model to its last state, twice: by stateright for what must always be so, and backwards for what must
/// stay reachable. `floor` holds its size, so that it cannot silently shrink.
fn holds(scenario: &Scenario, floor: usize) {
    let system = System::of(scenario);
    let found = explore(&system, System::is_good_end, |system, action| action.helps(&system.scenario));
    let name = scenario.name;
    if let Some(stuck) = found.way_to_stuck.last() {
        for world in &found.way_to_stuck {
            println!("  {world:?}");
        }
        panic!("model {name}: {} of {} states never reach a good end, such as {stuck:?}", found.stuck, found.states);
    }
    let checker = system.checker().threads(2).spawn_bfs().join();
    for (property, path) in checker.discoveries() {
        println!("model {name} breaks `{property}`:\n{}", told(scenario, path.into_actions()));
    }
    checker.assert_properties();
    assert_eq!(checker.unique_state_count(), found.states, "both saw the same states");
    assert!(found.ends > 0, "model {name} has no good end");
    println!(
        "model {name}: {} states, {} transitions, depth {}, no counterexample, {} states from which the good end is \
         unreachable",
        found.states, found.transitions, found.depth, found.stuck
    );
    assert!(found.states >= floor, "model {name} has shrunk below {floor} states");
}

fn told(scenario: &Scenario, actions: Vec<super::action::Action>) -> String {
    let lines = actions.into_iter().enumerate();
    lines.map(|(index, action)| format!("  {:2}. {}\n", index + 1, action.told(scenario))).collect()
}

/// Drops a guard and expects `property` to break.
fn breaks(guard: Guard, scenario: &Scenario, property: &'static str) {
    let dropped = scenario.clone().without(guard);
    let stop = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = System::of(&dropped).checker().finish_when(stop).spawn_bfs().join();
    let Some(path) = checker.discovery(property) else {
        panic!("model {} without {guard:?} still keeps `{property}`: it is too small", scenario.name)
    };
    let actions = path.into_actions();
    println!("model {} without {guard:?} breaks `{property}` in {} steps:", scenario.name, actions.len());
    println!("{}", told(scenario, actions));
}

#[test]
fn one_runner_and_versions_that_come_and_go() {
    holds(&scenarios::one_runner(), 1000);
}

#[test]
fn everything_is_reverted() {
    holds(&scenarios::revert(), 1000);
}

#[test]
fn two_runners_overlap() {
    holds(&scenarios::two_runners(), 1000);
}

#[test]
fn a_rollout_with_all_that_its_controller_does() {
    holds(&scenarios::rollout(), 1000);
}

#[test]
fn a_rollout_with_every_door_open() {
    holds(&scenarios::doors(), 1000);
}

#[test]
fn a_rollout_rolled_back_with_its_schema() {
    holds(&scenarios::rollout_revert(), 1000);
}

#[test]
fn two_workloads_on_one_database() {
    holds(&scenarios::two_workloads(), 1000);
}

#[test]
fn pods_that_ask_for_themselves() {
    holds(&scenarios::init_gate(), 1000);
}

#[test]
fn a_consumer_outside_the_cluster() {
    holds(&scenarios::consumer(), 1000);
}

#[test]
fn two_changes_on_one_table() {
    holds(&scenarios::two_changes(), 1000);
}

#[test]
fn no_guard_can_go() {
    for (guard, scenario, property) in guards::needed() {
        breaks(guard, &scenario, property);
    }
}

#[test]
fn every_promise_is_broken_by_some_missing_guard() {
    let broken: BTreeSet<&str> = guards::needed().iter().map(|(_, _, property)| *property).collect();
    let promised: BTreeSet<&str> = properties::all().iter().map(|property| property.name).collect();
    assert_eq!(broken, promised);
}
