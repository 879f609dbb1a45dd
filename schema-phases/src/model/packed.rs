//! A world in 128 bits: what is hashed instead of its two dozen fields, a million times a second.

use std::hash::{Hash, Hasher};

use super::world::{App, At, CHANGES, Entry, Gate, Pod, Runner, VERSIONS, World};
use crate::{Move, Span};

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(packed(self));
    }
}

/// Every field, one beside the other. Equal numbers are equal worlds.
fn packed(world: &World) -> u128 {
    let World { ledger, physical, wanted, acknowledged, second_commit, runners, apps } = *world;
    let mut bits = Bits(0);
    for change in 0..CHANGES {
        bits.add(place(ledger[change]), 5);
        bits.add(physical[change].0, 3);
        bits.add(physical[change].1, 3);
    }
    bits.add(wanted, 3);
    bits.add(u8::from(acknowledged), 1);
    bits.add(u8::from(second_commit), 1);
    for Runner { at, locked, stale, plan, change, step, seen } in runners {
        bits.add(at_number(at), 4);
        bits.add(u8::from(locked), 1);
        bits.add(u8::from(stale), 1);
        bits.add(plan, 3);
        bits.add(change, 1);
        bits.add(step.map_or(0, |step| 1 + number(step)), 3);
        bits.add(seen, 6);
    }
    for App { template, stable, back, gate, aborted, up, entry, sets, pods } in apps {
        for named in [template, stable, back] {
            bits.add(named.map_or(VERSIONS as u8, |version| version), 2);
        }
        let gate = match gate {
            Gate::Waiting => 0,
            Gate::Told => 1,
            Gate::Past => 2,
        };
        bits.add(gate, 2);
        bits.add(u8::from(aborted), 1);
        bits.add(u8::from(up), 1);
        for version in 0..VERSIONS {
            bits.add(entry_number(entry[version]) * 3 + entry_number(sets[version]), 4);
            bits.add(pod_number(pods[version]), 3);
        }
    }
    bits.0
}

struct Bits(u128);

impl Bits {
    fn add(&mut self, value: u8, width: u32) {
        debug_assert!(u32::from(value) < 1 << width);
        self.0 = self.0 << width | u128::from(value);
    }
}

/// Moves numbered from 0 to 6.
pub(super) fn number(step: Move) -> u8 {
    step.from().rank() * 2 + u8::from(step.is_forward()) - 1
}

/// Spans numbered from 0 to 18.
pub(super) fn place(span: Span) -> u8 {
    match span {
        Span::AtRest(phase) => phase.rank(),
        Span::Intended(step) => 5 + number(step),
        Span::Acting(step) => 12 + number(step),
    }
}

fn at_number(at: At) -> u8 {
    match at {
        At::Off => 0,
        At::Fresh => 1,
        At::Current => 2,
        At::LookSets => 3,
        At::LookPods => 4,
        At::Intend => 5,
        At::Again => 6,
        At::AgainSets => 7,
        At::AgainPods => 8,
        At::Withdraw => 9,
        At::Act => 10,
        At::Touch => 11,
        At::Finish => 12,
        At::Settle => 13,
    }
}

fn entry_number(entry: Entry) -> u8 {
    match entry {
        Entry::Outside => 0,
        Entry::Gated => 1,
        Entry::Forced => 2,
    }
}

fn pod_number(pod: Pod) -> u8 {
    match pod {
        Pod::None => 0,
        Pod::Waiting => 1,
        Pod::Told => 2,
        Pod::Serving(Entry::Gated) => 3,
        Pod::Serving(Entry::Outside | Entry::Forced) => 4,
        Pod::Leaving(Entry::Gated) => 5,
        Pod::Leaving(Entry::Outside | Entry::Forced) => 6,
    }
}
