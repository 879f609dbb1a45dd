use schema_phases::{PhaseWindow, SchemaPhase};

use super::*;
use crate::testing::{Kind, at_rest, backfill, entry, ledger, misfit, split_at, step, view};

fn behind() -> Vec<Reason> {
    let span = at_rest(SchemaPhase::Synced);
    let one = misfit(Kind::Behind, "v2", "split-full-name", span, PhaseWindow::NEW_SHAPE);
    vec![one.clone(), one]
}

fn json(status: &StepStatus) -> String {
    String::from_utf8(status.to_json()).unwrap()
}

/// Version 1 as written: never change this golden, add another version.
#[test]
fn version_1_is_written_like_this() {
    let mut state = split_at(Span::Acting(step(SchemaPhase::Synced, SchemaPhase::Migrated)));
    state.changes[0].backfill = Some(backfill(19, 30, 1));
    state.changes.push(entry("add-city", 2, Span::Intended(step(SchemaPhase::Pending, SchemaPhase::Expanded))));
    let status = StepStatus::of("wait", &behind(), &view(Some(state)));
    insta::assert_snapshot!(json(&status), @r#"{"version":1,"verdict":"wait","reasons":["schema_behind"],"seenAt":1700000000,"phases":{"customers":{"add-city":{"phase":"pending","movingTo":"expanded","acting":false,"canary":"pending..migrated","stable":"pending..migrated"},"split-full-name":{"phase":"synced","movingTo":"migrated","acting":true,"canary":"migrated..contracted","stable":"pending..migrated","rowsDone":19,"rowsTotal":30}}}}"#);
    assert_eq!(StepStatus::read(&status.to_json()), Some(status));
}

#[test]
fn version_1_as_older_and_newer_builds_write_it_is_read() {
    let older = StepStatus::read(br#"{"version":1,"verdict":"wait"}"#).unwrap();
    assert_eq!((older.verdict.as_str(), older.seen_at), ("wait", 0));
    let newer =
        br#"{"version":1,"verdict":"wait","seenAt":5,"phases":{"c":{"x":{"phase":"synced","more":[1]}}},"new":{}}"#;
    assert_eq!(StepStatus::read(newer).unwrap().phases["c"]["x"].phase, "synced");
}

#[test]
fn what_is_no_status_of_ours_is_no_hint() {
    let huge = format!(r#"{{"version":1,"verdict":"{}"}}"#, "x".repeat(70_000));
    let bad: [&[u8]; 8] =
        [b"", b"null", b"[]", b"{}", br#"{"version":2,"verdict":"wait"}"#, b"{\"version\":1", &[0xff], huge.as_bytes()];
    for bytes in bad {
        assert_eq!(StepStatus::read(bytes), None, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn it_stays_below_the_limit_and_what_holds_the_canary_stays_in() {
    let names: Vec<String> = (0..200).map(|n| format!("a-change-with-a-long-name-that-fits-well-{n:03}")).collect();
    let mut changes: Vec<_> =
        names.iter().zip(1..).map(|(name, order)| entry(name, order, at_rest(SchemaPhase::Pending))).collect();
    changes.push(entry("split-full-name", 900, at_rest(SchemaPhase::Synced)));
    let status = StepStatus::of("wait", &behind(), &view(Some(ledger(changes))));
    let written = status.to_json();
    assert!(written.len() < 4096, "{}", written.len());
    assert!(status.phases["customers"].contains_key("split-full-name"));
    assert_eq!(status.phases["customers"].len() + status.left_out, 201);
    assert!(status.left_out > 100);
    assert!(serde_json::from_slice::<serde_json::Value>(&written).unwrap().is_object());
}

#[test]
fn the_last_sight_is_told_with_its_age_and_never_from_the_future() {
    let status = StepStatus::of("wait", &behind(), &view(Some(split_at(at_rest(SchemaPhase::Synced)))));
    let told = |seconds: u64| status.last_seen(Moment::from_unix_millis(seconds * 1000));
    assert_eq!(told(1_700_000_300).unwrap(), "Last seen 5 min ago: split-full-name synced");
    assert_eq!(told(1_600_000_000).unwrap(), "Last seen 1 s ago: split-full-name synced");
    assert_eq!(StepStatus::default().last_seen(Moment::from_unix_millis(0)), None);
}
