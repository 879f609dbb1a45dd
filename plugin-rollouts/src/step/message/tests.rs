use std::collections::BTreeMap;

use schema_phases::{Because, Fact, Missing};

use super::*;
use crate::{
    step::status::ChangeStatus,
    testing::{Kind, at_rest, backfill, entry, ledger, misfit, rollout, seen, split_at, step, view},
};

const SYNCED: SchemaPhase = SchemaPhase::Synced;
const MIGRATED: SchemaPhase = SchemaPhase::Migrated;
const CONTRACTED: SchemaPhase = SchemaPhase::Contracted;
const REQUEUE: Duration = Duration::from_secs(15);

fn too_early(span: Span) -> Reason {
    misfit(Kind::Behind, "v2", "split-full-name", span, PhaseWindow::NEW_SHAPE)
}

fn too_late(kind: Kind, version: &str, span: Span) -> Reason {
    misfit(kind, version, "split-full-name", span, PhaseWindow::until(MIGRATED))
}

fn behind(span: Span, progress: Option<BackfillProgress>) -> String {
    let mut state = split_at(span);
    state.changes[0].backfill = progress;
    wait(&view(Some(state)), &[too_early(span)], REQUEUE)
}

#[test]
fn a_wait_tells_where_the_schema_is_what_the_version_needs_and_what_happens_next() {
    let acting = Span::Acting(step(SYNCED, MIGRATED));
    insta::assert_snapshot!(behind(acting, Some(backfill(1_900_000, 3_000_000, 4_600))), @"split-full-name is synced, backfill 63 % (1.9 M of 3.0 M rows, about 4 min); v2 needs migrated. Its runner is at work. v1 keeps serving; asked again every 15 s");
    insta::assert_snapshot!(behind(acting, None), @"split-full-name is synced, moving to migrated; v2 needs migrated. Its runner is at work. v1 keeps serving; asked again every 15 s");
    insta::assert_snapshot!(behind(at_rest(SYNCED), None), @"split-full-name is synced; v2 needs migrated. No move is under way: `phasegate status` and the log of the Job say what it waits for. v1 keeps serving; asked again every 15 s");
    insta::assert_snapshot!(behind(Span::Intended(step(SYNCED, MIGRATED)), None), @"split-full-name is synced, about to move to migrated; v2 needs migrated. The move to migrated is announced and not begun; if its runner died, the next run takes the announcement back. v1 keeps serving; asked again every 15 s");
    insta::assert_snapshot!(behind(Span::Acting(step(MIGRATED, SYNCED)), None), @"split-full-name is migrated, moving to synced; v2 needs migrated. It is being reverted to synced. v1 keeps serving; asked again every 15 s");
}

#[test]
fn a_run_that_git_wants_and_that_has_not_begun_is_told() {
    let mut view = view(Some(split_at(at_rest(SYNCED))));
    view.databases[0].plan = PlanSight::Another;
    let told = wait(&view, &[too_early(at_rest(SYNCED))], REQUEUE);
    assert!(told.contains(". The run of the plan that Git wants now has not begun. "), "{told}");
}

#[test]
fn progress_is_never_told_as_done_and_never_divides_by_nothing() {
    let rows = [
        ((0, 0, 0), "backfill 0 % (0 of 0 rows)"),
        ((0, 950, 0), "backfill 0 % (0 of 950 rows)"),
        ((12_345, 20_000, 100), "backfill 61 % (12.3 k of 20.0 k rows, about 1 min)"),
        ((3_000_000, 3_000_000, 10), "backfill 99 % (3.0 M of 3.0 M rows)"),
        ((4_000_000, 3_000_000, 10), "backfill 99 % (4.0 M of 4.0 M rows)"),
        ((1, 7_000_000_000, 1_000), "backfill 0 % (1 of 7.0 G rows, about 81 days)"),
        ((u64::MAX, u64::MAX, u64::MAX), "backfill 99 % (18446744073.7 G of 18446744073.7 G rows)"),
    ];
    for ((done, total, rate), want) in rows {
        assert_eq!(progress(&backfill(done, total, rate)), want);
    }
}

#[test]
fn a_canary_that_the_schema_has_left_behind_is_told_the_way_out() {
    let ahead = |span| {
        let reason = too_late(Kind::Ahead, "v1", span);
        wait(&view(Some(split_at(span))), &[reason], REQUEUE)
    };
    insta::assert_snapshot!(ahead(Span::Acting(step(MIGRATED, CONTRACTED))), @"split-full-name is migrated, moving to contracted; v1 works only until migrated. v1 will not suit this schema: push one built for the new shape of split-full-name. v1 keeps serving; asked again every 15 s");
    insta::assert_snapshot!(ahead(Span::Intended(step(MIGRATED, CONTRACTED))), @"split-full-name is migrated, about to move to contracted; v1 works only until migrated. The move to contracted is announced and not begun; if its runner died, the next run takes the announcement back. v1 keeps serving; asked again every 15 s");
}

#[test]
fn what_is_not_there_yet_is_named() {
    let mut nothing = view(None);
    let not_begun = [Reason::NotBegun { database: "customers".to_owned() }];
    insta::assert_snapshot!(wait(&nothing, &not_begun, REQUEUE), @"the database customers has no ledger yet; its runner has not begun. Its first run makes the ledger. v1 keeps serving; asked again every 15 s");
    nothing.databases[0].note = Some("There is no ConfigMap phasegate-customers in namespace store".to_owned());
    insta::assert_snapshot!(wait(&nothing, &not_begun, REQUEUE), @"the database customers has no ledger yet; its runner has not begun. There is no ConfigMap phasegate-customers in namespace store. Its first run makes the ledger. v1 keeps serving; asked again every 15 s");
    nothing.stable = None;
    nothing.databases.clear();
    insta::assert_snapshot!(wait(&nothing, &[Reason::NoDatabase], REQUEUE), @"the pod template has no label database.phasegate.dev/<database>; add one, or remove the step. Asked again every 15 s");
}

#[test]
fn a_yes_tells_what_it_rests_on_and_whom_it_leaves_outside() {
    let migrated = ledger(vec![
        entry("add-city", 2, at_rest(SchemaPhase::Pending)),
        entry("split-full-name", 1, at_rest(MIGRATED)),
    ]);
    let migrated = view(Some(migrated));
    insta::assert_snapshot!(proceed(&migrated, &[Reason::Fits]), @"v2 may go on: split-full-name is migrated, inside migrated..contracted of v2. add-city is pending, inside pending..migrated of v2");
    let contracted = view(Some(split_at(at_rest(CONTRACTED))));
    let stranded = [Reason::Fits, too_late(Kind::Stranded, "v1", at_rest(CONTRACTED))];
    insta::assert_snapshot!(proceed(&contracted, &stranded), @"v2 may go on: split-full-name is contracted for good, inside migrated..contracted of v2; the stable version v1 is outside its window: split-full-name is contracted, it needs pending..migrated, and v2 is the way out");
    insta::assert_snapshot!(proceed(&view(Some(ledger(Vec::new()))), &[Reason::Fits]), @"v2 may go on: no schema change concerns it");
}

#[test]
fn a_check_that_does_not_hold_and_a_wait_that_is_too_long_say_so() {
    let mut migrated = view(Some(split_at(at_rest(MIGRATED))));
    let (check, found) = ("error-rate".to_owned(), "it was 0.03, above 0.01".to_owned());
    let pending = [Reason::CheckPending { check: check.clone(), found: found.clone() }];
    insta::assert_snapshot!(wait(&migrated, &pending, REQUEUE), @"error-rate: it was 0.03, above 0.01. v1 keeps serving; asked again every 15 s");
    migrated.overdue = true;
    migrated.waited = Duration::from_secs(7_500);
    insta::assert_snapshot!(wait(&migrated, &pending, REQUEUE), @"error-rate: it was 0.03, above 0.01. It has waited for 2 h: somebody should look. v1 keeps serving; asked again every 15 s");
    let failed = [Reason::CheckFailed { check, found }];
    insta::assert_snapshot!(refuse(&migrated, &failed, &rollout()), @"v2 is refused: error-rate: it was 0.03, above 0.01. v1 keeps serving. Nothing resumes this by itself: when that is cured, push a new revision or retry this one with `kubectl argo rollouts retry rollout shop -n store`");
    let overdue = [Reason::Overdue { waited: migrated.waited }, pending[0].clone()];
    insta::assert_snapshot!(refuse(&migrated, &overdue, &rollout()), @"v2 is refused: it has waited for 2 h, longer than its step allows. error-rate: it was 0.03, above 0.01. v1 keeps serving. Nothing resumes this by itself: when that is cured, push a new revision or retry this one with `kubectl argo rollouts retry rollout shop -n store`");
    let mut idle = view(Some(split_at(at_rest(SYNCED))));
    idle.databases[0].note = Some("Job phasegate-customers-0123 is suspended: resume it".to_owned());
    insta::assert_snapshot!(wait(&idle, &[too_early(at_rest(SYNCED))], REQUEUE), @"split-full-name is synced; v2 needs migrated. Job phasegate-customers-0123 is suspended: resume it. v1 keeps serving; asked again every 15 s");
}

#[test]
fn a_refusal_tells_what_does_resume() {
    let contracted = view(Some(split_at(at_rest(CONTRACTED))));
    let outlived = too_late(Kind::Outlived, "v1b", at_rest(CONTRACTED));
    insta::assert_snapshot!(refuse(&contracted, &[outlived], &rollout()), @"v2 is refused: split-full-name is contracted for good; v1b works only until migrated. v1 keeps serving. Nothing resumes this by itself: push, as a new revision, a version built for the new shape of split-full-name; `kubectl argo rollouts retry rollout shop -n store` only asks the same question again");
    let apart = Reason::NoCommonPhase {
        change: "split-full-name".parse().unwrap(),
        canary: "contracted..contracted".parse().unwrap(),
        stable: PhaseWindow::until(MIGRATED),
    };
    insta::assert_snapshot!(refuse(&view(Some(split_at(at_rest(SYNCED)))), &[apart], &rollout()), @"v2 is refused: no phase of split-full-name suits both: the canary needs contracted..contracted, the stable version pending..migrated. v1 keeps serving. Nothing resumes this by itself: push, as a new revision, a version between the two, whose window meets that of v1 and of v2; `kubectl argo rollouts retry rollout shop -n store` only asks the same question again");
}

#[test]
fn what_is_undecided_names_the_fact_and_shows_the_last_sight_with_its_age() {
    let because = Because::Unreachable("connection refused".to_owned());
    let unseen = Reason::Unseen { database: "customers".to_owned(), missing: Missing { fact: Fact::Ledger, because } };
    let change = ChangeStatus { phase: "synced".to_owned(), ..ChangeStatus::default() };
    let hint = StepStatus {
        version: 1,
        seen_at: 1_699_999_960,
        phases: BTreeMap::from([("customers".to_owned(), BTreeMap::from([("split-full-name".to_owned(), change)]))]),
        ..StepStatus::default()
    };
    insta::assert_snapshot!(undecided(&view(None), std::slice::from_ref(&unseen), None), @"undecided: database customers: the ledger is out of reach: connection refused. v1 keeps serving. Argo asks again in about 30 s");
    insta::assert_snapshot!(undecided(&view(None), &[unseen], Some(&hint)), @"undecided: database customers: the ledger is out of reach: connection refused. Last seen 40 s ago: split-full-name synced. v1 keeps serving. Argo asks again in about 30 s");
}

#[test]
fn several_databases_are_told_apart_and_many_reasons_are_counted() {
    let mut two = view(Some(split_at(at_rest(SYNCED))));
    two.databases.push(seen("orders", Some(ledger(vec![entry("add-total", 1, at_rest(SchemaPhase::Pending))]))));
    let orders = misfit(Kind::Behind, "v2", "add-total", at_rest(SchemaPhase::Pending), PhaseWindow::NEW_SHAPE);
    let reasons = [too_early(at_rest(SYNCED)), orders];
    let told = wait(&two, &reasons, REQUEUE);
    assert!(
        told.starts_with("customers: split-full-name is synced; v2 needs migrated. orders: add-total is pending; v2"),
        "{told}"
    );
    let many = vec![too_early(at_rest(SYNCED)); 40];
    let told = wait(&view(Some(split_at(at_rest(SYNCED)))), &many, REQUEUE);
    assert!(told.contains(". And 36 more. "), "{told}");
}

#[test]
fn no_message_is_long_or_holds_control_characters() {
    let mut hostile = view(Some(split_at(at_rest(SYNCED))));
    hostile.databases[0].note = Some("ä\u{1b}[31m\n".repeat(1_000));
    let told = wait(&hostile, &[too_early(at_rest(SYNCED))], REQUEUE);
    assert!(told.len() <= LONGEST && told.ends_with('…'), "{}", told.len());
    assert!(!told.chars().any(char::is_control));
    assert_eq!(clipped(&"x".repeat(LONGEST)).len(), LONGEST);
    assert!(clipped(&"x".repeat(LONGEST + 1)).ends_with("x…"));
}
