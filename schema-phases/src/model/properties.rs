//! What must always be so. Only plain numbers are compared here: no rule is asked whether it kept itself.

use stateright::Property;

use super::{
    system::System,
    world::{CHANGES, Entry, Pod, World},
};
use crate::{SchemaPhase, Span, next_move};

pub(super) const INSIDE: &str = "a version that passed a gate serves inside its window";
pub(super) const KEPT: &str = "an acknowledged phase is kept until Git asks otherwise";
pub(super) const FENCED: &str = "no runner commits after another has raised the generation";
pub(super) const TRUE: &str = "the schema is where the ledger says it may be";
pub(super) const ORDERED: &str = "changes on one table contract and revert in order";

pub(super) fn all() -> Vec<Property<System>> {
    vec![
        Property::always(INSIDE, inside),
        Property::always(KEPT, kept),
        Property::always(FENCED, |_: &System, world: &World| !world.second_commit),
        Property::always(TRUE, is_true),
        Property::always(ORDERED, ordered),
    ]
}

fn inside(system: &System, world: &World) -> bool {
    system.scenario.apps.iter().zip(&world.apps).all(|(plan, app)| {
        plan.versions.iter().zip(app.pods).all(|(version, pod)| {
            let fits = |(window, physical): (&(u8, u8), (u8, u8))| window.0 <= physical.0 && physical.1 <= window.1;
            !matches!(pod, Pod::Serving(Entry::Gated) | Pod::Leaving(Entry::Gated))
                || version.windows.iter().zip(world.physical).all(fits)
        })
    })
}

fn kept(system: &System, world: &World) -> bool {
    let targets = &system.scenario.plans[usize::from(world.wanted)].targets;
    !world.acknowledged
        || targets.iter().enumerate().all(|(change, target)| {
            let Span::AtRest(at) = world.ledger[change] else { return false };
            next_move(at, *target).is_none() && world.physical[change] == (at.rank(), at.rank())
        })
}

fn is_true(_: &System, world: &World) -> bool {
    (0..CHANGES).all(|change| {
        let (low, high) = world.physical[change];
        world.ledger[change].lowest().rank() <= low && high <= world.ledger[change].highest().rank()
    })
}

/// All changes of a model are on one table, whatever the rules are told.
fn ordered(system: &System, world: &World) -> bool {
    (0..system.scenario.changes()).all(|change| match world.ledger[change] {
        Span::Acting(step) if step.to() == SchemaPhase::Contracted => {
            world.physical.iter().take(change).all(|earlier| *earlier == (4, 4))
        }
        Span::Acting(step) if !step.is_forward() => {
            world.physical.iter().skip(change + 1).all(|later| *later == (0, 0))
        }
        Span::AtRest(_) | Span::Intended(_) | Span::Acting(_) => true,
    })
}
