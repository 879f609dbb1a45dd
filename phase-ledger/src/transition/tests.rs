use std::collections::BTreeSet;

use SchemaPhase::{Contracted, Expanded, Migrated, Pending, Synced};
use schema_phases::{ChangeProfile, Conversion, PhaseWindow};

use super::*;
use crate::{BackfillProgress, Generation, ServerIdentity};

fn step(from: SchemaPhase, to: SchemaPhase) -> Move {
    Move::new(from, to).unwrap()
}

fn name() -> ChangeName {
    "split".parse().unwrap()
}

fn profile(order: u32) -> ChangeProfile {
    ChangeProfile {
        name: name(),
        order,
        tables: BTreeSet::from(["customers".to_owned()]),
        old_window: PhaseWindow::until(Migrated),
        new_window: PhaseWindow::NEW_SHAPE,
        conversion: Conversion::Rows,
    }
}

fn ledger(span: Span) -> LedgerState {
    LedgerState {
        generation: Generation(1),
        server: ServerIdentity("s".to_owned()),
        plan: None,
        paused: None,
        changes: vec![LedgerEntry {
            profile: profile(1),
            span,
            definition: "d1".to_owned(),
            new_shape_live: false,
            done: BTreeSet::from([7]),
            backfill: None,
        }],
    }
}

fn progress() -> BackfillProgress {
    BackfillProgress { step: 1, rows_done: 1, rows_total: 2, rows_per_second: 0, held: None }
}

fn every_span() -> Vec<Span> {
    let mut spans: Vec<Span> = SchemaPhase::ALL.into_iter().map(Span::AtRest).collect();
    for from in SchemaPhase::ALL {
        for step in SchemaPhase::ALL.into_iter().filter_map(|to| Move::new(from, to).ok()) {
            spans.extend([Span::Intended(step), Span::Acting(step)]);
        }
    }
    spans
}

/// Every record on every span: where it leads, or that it conflicts. The rule is written a second time here, from the
/// span's side.
#[test]
fn each_record_applies_to_exactly_the_span_it_builds_on() {
    let (ours, other) = (step(Expanded, Synced), step(Synced, Migrated));
    for span in every_span() {
        let at_rest = matches!(span, Span::AtRest(_));
        let acting_ours = span == Span::Acting(ours);
        let acting = matches!(span, Span::Acting(_));
        let rows: Vec<(Record, Option<Span>)> = vec![
            (Record::Forget(name()), (span == Span::AtRest(Pending)).then_some(span)),
            (Record::Intend(name(), ours), (span == Span::AtRest(Expanded)).then_some(Span::Intended(ours))),
            (Record::Withdraw(name(), ours), (span == Span::Intended(ours)).then_some(Span::AtRest(Expanded))),
            (Record::Withdraw(name(), other), (span == Span::Intended(other)).then_some(Span::AtRest(Synced))),
            (Record::Act(name(), ours), (span == Span::Intended(ours)).then_some(Span::Acting(ours))),
            (Record::Done(name(), 3), acting.then_some(span)),
            (Record::Backfill(name(), progress()), acting.then_some(span)),
            (Record::NewShapeLive(name()), Some(span)),
            (Record::Register { profile: profile(9), definition: "d2".to_owned() }, Some(span)),
        ];
        for (record, expected) in rows {
            let found = apply_all(&ledger(span), std::slice::from_ref(&record));
            match (found, expected) {
                (Ok(Applied { after, .. }), Some(expected)) => {
                    let found = after.changes.first().map_or(expected, |entry| entry.span);
                    assert_eq!(found, expected, "{record:?} on {span}");
                }
                (Err(WriteError::Conflict { change }), None) => assert_eq!(change, name()),
                (found, expected) => panic!("{record:?} on {span}: {found:?}, expected {expected:?}"),
            }
        }
        for phase in SchemaPhase::ALL {
            let found = apply_all(&ledger(span), &[Record::Settle(name(), phase)]);
            let ends = acting && (phase == span.lowest() || phase == span.highest());
            assert_eq!(found.is_ok(), ends, "settle at {phase} on {span}");
            if let Ok(Applied { after, .. }) = found {
                assert_eq!(after.changes[0].span, Span::AtRest(phase));
                assert!(after.changes[0].done.is_empty() && after.changes[0].backfill.is_none());
            }
        }
        assert!(!(at_rest && acting_ours));
    }
}

#[test]
fn a_record_of_an_unknown_change_is_a_conflict() {
    let other: ChangeName = "other".parse().unwrap();
    let ours = step(Pending, Expanded);
    for record in [
        Record::Forget(other.clone()),
        Record::Intend(other.clone(), ours),
        Record::Withdraw(other.clone(), ours),
        Record::Act(other.clone(), ours),
        Record::Done(other.clone(), 1),
        Record::Backfill(other.clone(), progress()),
        Record::Ranges(other.clone(), Vec::new()),
        Record::NewShapeLive(other.clone()),
        Record::Settle(other.clone(), Expanded),
    ] {
        let found = apply_all(&ledger(Span::AtRest(Pending)), std::slice::from_ref(&record));
        assert!(matches!(found, Err(WriteError::Conflict { ref change }) if *change == other), "{record:?}");
    }
}

#[test]
fn registering_again_takes_the_new_definition_only_while_pending() {
    let again = [Record::Register { profile: profile(9), definition: "d2".to_owned() }];
    for span in every_span() {
        let Applied { after, events, .. } = apply_all(&ledger(span), &again).unwrap();
        let entry = &after.changes[0];
        assert_eq!(entry.profile.order, 9);
        let expected = if span == Span::AtRest(Pending) { "d2" } else { "d1" };
        assert_eq!(entry.definition, expected, "{span}");
        assert_eq!(events.len(), 1);
        let Applied { events, .. } = apply_all(&after, &again).unwrap();
        assert!(events.is_empty(), "the same once more is no event");
    }
}

#[test]
fn records_that_change_nothing_are_no_events() {
    let plan = "a".repeat(64).parse().unwrap();
    let records = [Record::Plan(plan), Record::NewShapeLive(name()), Record::Done(name(), 3)];
    let Applied { after, events, .. } = apply_all(&ledger(Span::Acting(step(Expanded, Synced))), &records).unwrap();
    assert_eq!(events.iter().map(|event| event.word).collect::<Vec<_>>(), ["plan", "new-shape-live", "done"]);
    assert!(apply_all(&after, &records).unwrap().events.is_empty());
    assert_eq!(after.changes[0].done, BTreeSet::from([3, 7]));
}

#[test]
fn changes_stay_in_their_order_and_a_conflict_leaves_nothing() {
    let named = |text: &str, order| {
        let profile = ChangeProfile { name: text.parse().unwrap(), ..profile(order) };
        Record::Register { profile, definition: String::new() }
    };
    let state = LedgerState { changes: Vec::new(), ..ledger(Span::AtRest(Contracted)) };
    let Applied { after, .. } = apply_all(&state, &[named("c", 2), named("b", 1), named("a", 2)]).unwrap();
    let names: Vec<&str> = after.changes.iter().map(|entry| entry.profile.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "c"]);
    assert!(apply_all(&state, &[named("c", 2), Record::Done("c".parse().unwrap(), 1)]).is_err());
}

#[test]
fn once_a_change_is_back_at_pending_no_version_of_the_new_shape_has_written() {
    for (from, to, remembered) in [(Synced, Expanded, true), (Expanded, Pending, false)] {
        let mut state = ledger(Span::Acting(step(from, to)));
        state.changes[0].new_shape_live = true;
        let Applied { after, .. } = apply_all(&state, &[Record::Settle(name(), to)]).unwrap();
        assert_eq!(after.changes[0].new_shape_live, remembered, "{to}");
    }
}

#[test]
fn ranges_belong_to_a_backfill() {
    let state = ledger(Span::Acting(step(Expanded, Synced)));
    let ranges = Record::Ranges(name(), Vec::new());
    assert!(apply_all(&state, std::slice::from_ref(&ranges)).is_err());
    let applied = apply_all(&state, &[Record::Backfill(name(), progress()), ranges]).unwrap();
    assert_eq!(applied.ranges, [(name(), Vec::new())]);
    assert_eq!(applied.events.iter().map(|event| event.detail.as_str()).collect::<Vec<_>>(), ["2 rows in 0 ranges"]);
}
