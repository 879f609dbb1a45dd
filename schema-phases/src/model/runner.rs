//! The runner, step by step, named like the steps of the real one. It may die at every point, and lose its lock without
//! knowing.

use super::{
    live,
    scenario::{Guard, Reads, Scenario},
    system::System,
    world::{At, Runner, Versions, World},
};
use crate::{Move, Recovery, SchemaPhase, Span, next_move, recover};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A pod of a Job starts, late or not: it takes the lock and raises the generation.
    Start(u8),
    /// Asks which plan is wanted.
    Check,
    /// Looks after what a dead runner left behind.
    Recover,
    /// First look for the next move of one change.
    Look(u8),
    /// Reads the next source of the look it is in.
    ReadOn,
    Intend,
    LookAgain,
    Withdraw,
    Act,
    Touch,
    Finish,
    /// Takes a hidden contract back.
    Undo,
    Settle,
    /// Nothing left to do: tells Git.
    Done,
    Crash,
    LoseLock,
}

impl Step {
    /// Every step there is in a model.
    pub(super) fn all(scenario: &Scenario) -> Vec<Self> {
        let mut steps: Vec<Self> = (0..scenario.plans.len() as u8).map(Self::Start).collect();
        steps.extend((0..scenario.changes() as u8).map(Self::Look));
        steps.extend([Self::Check, Self::Recover, Self::Intend, Self::LookAgain, Self::Withdraw]);
        steps.extend([Self::Act, Self::Touch, Self::Finish, Self::Settle, Self::Done, Self::Crash]);
        let some = [
            (scenario.reads == Reads::Apart, Self::ReadOn),
            (scenario.soak, Self::Undo),
            (scenario.runners > 1, Self::LoseLock),
        ];
        steps.extend(some.into_iter().filter(|(has, _)| *has).map(|(_, step)| step));
        steps
    }

    /// Whether a good end may count on it.
    pub(super) fn helps(self, goal: u8) -> bool {
        match self {
            Self::Start(plan) => plan == goal,
            Self::Crash | Self::LoseLock | Self::Undo => false,
            Self::Check | Self::Recover | Self::Look(_) | Self::ReadOn | Self::Intend | Self::LookAgain => true,
            Self::Withdraw | Self::Act | Self::Touch | Self::Finish | Self::Settle | Self::Done => true,
        }
    }
}

/// The world after `step` of the runner in `slot`; none when it cannot make that step now.
pub(super) fn step(system: &System, world: &World, slot: usize, step: Step) -> Option<World> {
    let runner = world.runners[slot];
    match (step, runner.at) {
        (Step::Start(plan), At::Off) => start(world, slot, plan),
        (Step::Check, At::Fresh) => Some(check(system, world, slot)),
        (Step::Recover, At::Current) => recover_left(system, world, slot),
        (Step::Look(change), At::Current) => look(system, world, slot, change),
        (Step::ReadOn, At::LookSets | At::LookPods | At::AgainSets | At::AgainPods) => Some(read(system, world, slot)),
        (Step::Done, At::Current) => done(system, world, slot),
        (Step::Intend, At::Intend) => Some(intend(system, world, slot)),
        (Step::LookAgain, At::Again) => Some(look_again(system, world, slot)),
        (Step::Withdraw, At::Withdraw) => Some(withdraw(system, world, slot)),
        (Step::Act, At::Act) => Some(act(system, world, slot)),
        (Step::Touch, At::Touch) => Some(touch(system, world, slot)),
        (Step::Finish, At::Finish) => Some(finish(system, world, slot)),
        (Step::Undo, At::Finish) => undo(system, world, slot),
        (Step::Settle, At::Settle) => Some(settle(system, world, slot)),
        (Step::Crash, at) if at != At::Off => Some(leave(world, slot)),
        (Step::LoseLock, at) if at != At::Off && runner.locked && system.scenario.runners > 1 => {
            let mut next = *world;
            next.runners[slot].locked = false;
            Some(next)
        }
        _ => None,
    }
}

fn start(world: &World, slot: usize, plan: u8) -> Option<World> {
    if world.runners.iter().any(|runner| runner.locked) {
        return None;
    }
    let mut next = *world;
    for other in next.runners.iter_mut().filter(|other| other.at != At::Off) {
        other.stale = true;
    }
    next.runners[slot] = Runner { at: At::Fresh, locked: true, plan, ..Runner::OFF };
    Some(next)
}

fn check(system: &System, world: &World, slot: usize) -> World {
    let plan = world.runners[slot].plan;
    if system.scenario.has(Guard::Digest) && !system.rules.is_current(plan, world.wanted) {
        return leave(world, slot);
    }
    go(world, slot, At::Current)
}

fn recover_left(system: &System, world: &World, slot: usize) -> Option<World> {
    for change in 0..system.scenario.changes() {
        let (at, step) = match recover(world.ledger[change]) {
            Recovery::Nothing => continue,
            Recovery::Withdraw(step) => (At::Withdraw, step),
            Recovery::GoOn(step) if system.scenario.has(Guard::GoOn) => (At::Touch, step),
            Recovery::GoOn(step) => (At::Withdraw, step),
        };
        let mut next = *world;
        let runner = &mut next.runners[slot];
        *runner = Runner { at, change: change as u8, step: Some(step), plan: 0, ..*runner };
        return Some(next);
    }
    None
}

/// The next move of `change`, when nothing is left behind.
fn wanted_move(system: &System, world: &World, slot: usize, change: u8) -> Option<Move> {
    let plan = &system.scenario.plans[usize::from(world.runners[slot].plan)];
    let Span::AtRest(at) = world.ledger[usize::from(change)] else { return None };
    next_move(at, plan.targets[usize::from(change)])
}

fn all_at_rest(system: &System, world: &World) -> bool {
    world.ledger.iter().take(system.scenario.changes()).all(|span| matches!(span, Span::AtRest(_)))
}

/// Also while another change is left unfinished: the real one tells when it cannot go on with that, and turns to the
/// others.
fn look(system: &System, world: &World, slot: usize, change: u8) -> Option<World> {
    let step = wanted_move(system, world, slot, change)?;
    let mut next = *world;
    let runner = &mut next.runners[slot];
    *runner = Runner { change, step: Some(step), ..*runner };
    Some(read(system, &next, slot))
}

fn look_again(system: &System, world: &World, slot: usize) -> World {
    let plan = world.runners[slot].plan;
    if system.scenario.has(Guard::DigestAgain) && !system.rules.is_current(plan, world.wanted) {
        return decided(world, slot, At::Withdraw);
    }
    if !system.scenario.has(Guard::SecondLook) {
        return decided(world, slot, At::Act);
    }
    read(system, world, slot)
}

/// Reads one source, or all of them, and decides after the last.
fn read(system: &System, world: &World, slot: usize) -> World {
    let mut next = *world;
    let runner = &mut next.runners[slot];
    let sources = live::order(system);
    let place = live::place(runner.at).unwrap_or_default();
    let last = match system.scenario.reads {
        Reads::AtOnce => sources.len() - 1,
        Reads::Apart => place,
    };
    for source in &sources[place..=last] {
        runner.seen |= live::read(system, world, *source, runner.plan);
    }
    runner.at = match runner.at {
        _ if last == sources.len() - 1 => return decide(system, &next, slot),
        At::Current => At::LookSets,
        At::LookSets => At::LookPods,
        At::Again => At::AgainSets,
        At::AgainSets => At::AgainPods,
        other => other,
    };
    next
}

/// Asks the second rule about everything the look has seen.
fn decide(system: &System, world: &World, slot: usize) -> World {
    let runner = world.runners[slot];
    let live: Option<Versions> = (!system.scenario.blind).then_some(runner.seen);
    let free = runner.step.is_some_and(|step| system.rules.may_move(runner.change, step, &world.ledger, live));
    let first = matches!(runner.at, At::Current | At::LookSets | At::LookPods);
    match (first, free) {
        (true, true) => {
            let mut next = go(world, slot, At::Intend);
            next.runners[slot].seen = 0;
            next
        }
        // Blocked: it ends complete, and the next run tries again.
        (true, false) => leave(world, slot),
        (false, true) => decided(world, slot, At::Act),
        (false, false) => decided(world, slot, At::Withdraw),
    }
}

fn intend(system: &System, world: &World, slot: usize) -> World {
    if !system.scenario.has(Guard::Intent) {
        return go(world, slot, At::Again);
    }
    write(system, world, slot, At::Again, |next, runner, step| {
        next.ledger[usize::from(runner.change)] = Span::Intended(step);
    })
}

fn act(system: &System, world: &World, slot: usize) -> World {
    write(system, world, slot, At::Touch, |next, runner, step| {
        next.ledger[usize::from(runner.change)] = Span::Acting(step);
    })
}

fn touch(system: &System, world: &World, slot: usize) -> World {
    write(system, world, slot, At::Finish, |next, runner, step| {
        let (from, to) = (step.from().rank(), step.to().rank());
        next.physical[usize::from(runner.change)] = (from.min(to), from.max(to));
    })
}

fn finish(system: &System, world: &World, slot: usize) -> World {
    write(system, world, slot, At::Settle, |next, runner, step| {
        next.physical[usize::from(runner.change)] = (step.to().rank(), step.to().rank());
    })
}

fn undo(system: &System, world: &World, slot: usize) -> Option<World> {
    let contract = world.runners[slot].step.is_some_and(|step| step.to() == SchemaPhase::Contracted);
    (system.scenario.soak && contract).then(|| {
        write(system, world, slot, At::Withdraw, |next, runner, step| {
            next.physical[usize::from(runner.change)] = (step.from().rank(), step.from().rank());
        })
    })
}

fn settle(system: &System, world: &World, slot: usize) -> World {
    write(system, world, slot, At::Off, |next, runner, step| {
        next.ledger[usize::from(runner.change)] = Span::AtRest(step.to());
    })
}

fn withdraw(system: &System, world: &World, slot: usize) -> World {
    write(system, world, slot, At::Off, |next, runner, step| {
        next.ledger[usize::from(runner.change)] = Span::AtRest(step.from());
    })
}

/// Read under its own generation like a write: a stale runner that finds everything done may be about to be wrong.
fn done(system: &System, world: &World, slot: usize) -> Option<World> {
    if world.runners[slot].stale && system.scenario.has(Guard::Generation) {
        return Some(leave(world, slot));
    }
    let changes = 0..system.scenario.changes() as u8;
    let nothing_left = changes.into_iter().all(|change| wanted_move(system, world, slot, change).is_none());
    (nothing_left && all_at_rest(system, world)).then(|| {
        let mut next = leave(world, slot);
        next.acknowledged |= world.runners[slot].plan == world.wanted;
        next
    })
}

/// A write that the database makes for the newest generation only; a runner whose write fails leaves.
fn write(
    system: &System,
    world: &World,
    slot: usize,
    then: At,
    effect: impl FnOnce(&mut World, Runner, Move),
) -> World {
    let runner = world.runners[slot];
    let Some(step) = runner.step else { return leave(world, slot) };
    if runner.stale && system.scenario.has(Guard::Generation) {
        return leave(world, slot);
    }
    let mut next = go(world, slot, then);
    next.second_commit |= runner.stale;
    effect(&mut next, runner, step);
    if then == At::Off { leave(&next, slot) } else { next }
}

fn go(world: &World, slot: usize, at: At) -> World {
    let mut next = *world;
    next.runners[slot].at = at;
    next
}

/// The second look is over: which plan it carries and what it has seen no longer matter.
fn decided(world: &World, slot: usize, at: At) -> World {
    let mut next = *world;
    let runner = &mut next.runners[slot];
    *runner = Runner { at, plan: 0, seen: 0, ..*runner };
    next
}

fn leave(world: &World, slot: usize) -> World {
    let mut next = *world;
    next.runners[slot] = Runner::OFF;
    next
}
