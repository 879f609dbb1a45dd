//! Every combination of the first rule, against section 3 of the design written down a second time in plain numbers.
//!
//! Nothing below asks `fit`, `meets`, `settled` or any other helper of the rule: phases are the numbers 0 to 4, windows
//! and spans are pairs of them.

use proptest::prelude::*;

use super::*;
use crate::{
    change::{ChangeProfile, Conversion},
    phase::{Move, SchemaPhase},
    sighting::Because,
};

type Window = (usize, usize);
const WORDS: [&str; 5] = ["pending", "expanded", "synced", "migrated", "contracted"];
const NOW: Moment = Moment::from_unix_millis(1_000_000);
const POLICY: Policy = Policy { max_age: Duration::from_secs(10), overdue: None };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Motion {
    Rest,
    Intended,
    Acting,
}

/// Where a change may be: `from` is what the ledger last recorded as reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PlainSpan {
    motion: Motion,
    from: usize,
    to: usize,
}

fn every_window() -> Vec<Window> {
    (0..5).flat_map(|first| (first..5).map(move |last| (first, last))).collect()
}

fn every_span() -> Vec<PlainSpan> {
    let mut spans: Vec<PlainSpan> = (0..5).map(|at| PlainSpan { motion: Motion::Rest, from: at, to: at }).collect();
    for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (3, 4)] {
        spans.extend([Motion::Intended, Motion::Acting].map(|motion| PlainSpan { motion, from, to }));
    }
    spans
}

impl PlainSpan {
    fn real(self) -> Span {
        let step = || Move::new(SchemaPhase::ALL[self.from], SchemaPhase::ALL[self.to]).unwrap();
        match self.motion {
            Motion::Rest => Span::AtRest(SchemaPhase::ALL[self.from]),
            Motion::Intended => Span::Intended(step()),
            Motion::Acting => Span::Acting(step()),
        }
    }

    /// The span without a mere intent.
    fn without_intent(self) -> Self {
        match self.motion {
            Motion::Intended => Self { motion: Motion::Rest, from: self.from, to: self.from },
            Motion::Rest | Motion::Acting => self,
        }
    }
}

/// What one version says of itself, for all changes of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Windows(Vec<Window>),
    /// Nobody can tell what it needs.
    Unclear,
}

/// What stands behind one database in a row of a table.
#[derive(Clone, Debug)]
struct Row {
    spans: Vec<PlainSpan>,
    canary: Said,
    stable: Option<Said>,
    ledger: Sight,
    stable_sight: Sight,
    checks: Vec<CheckRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    Fresh,
    Stale,
    Missing,
    /// Only of a ledger: looked for, and nobody has begun.
    NotBegun,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CheckRow {
    Passes,
    Pending,
    Failed,
    Stale,
    Missing,
}

impl Row {
    fn one(span: PlainSpan, canary: Window, stable: Option<Window>) -> Self {
        Self::of(vec![span], Said::Windows(vec![canary]), stable.map(|window| Said::Windows(vec![window])))
    }

    fn of(spans: Vec<PlainSpan>, canary: Said, stable: Option<Said>) -> Self {
        Self { spans, canary, stable, ledger: Sight::Fresh, stable_sight: Sight::Fresh, checks: Vec::new() }
    }

    fn facts(&self, database: &str) -> DatabaseFacts {
        let changes: Vec<LiveChange> =
            self.spans.iter().enumerate().map(|(index, span)| change(index, span.real(), Conversion::None)).collect();
        let ledger = match self.ledger {
            Sight::NotBegun => LedgerSight::NotBegun,
            Sight::Fresh | Sight::Stale | Sight::Missing => LedgerSight::Changes(changes),
        };
        DatabaseFacts {
            database: database.to_owned(),
            ledger: sighting(ledger, self.ledger, Fact::Ledger),
            canary: version("canary", &self.canary),
            stable: sighting(
                self.stable.as_ref().map(|said| version("stable", said)),
                self.stable_sight,
                Fact::StableVersion,
            ),
            checks: self.checks.iter().map(|row| check(*row)).collect(),
        }
    }
}

fn change(index: usize, span: Span, conversion: Conversion) -> LiveChange {
    let order = u32::try_from(index).unwrap();
    let profile = ChangeProfile {
        name: format!("c{index}").parse().unwrap(),
        order,
        tables: ["customers".to_owned()].into(),
        old_window: PhaseWindow::until(SchemaPhase::Migrated),
        new_window: PhaseWindow::NEW_SHAPE,
        conversion,
    };
    LiveChange { profile, span }
}

fn version(name: &str, said: &Said) -> AppVersion {
    let annotation = match said {
        Said::Unclear => "c0, c0".to_owned(),
        Said::Windows(windows) => {
            let entry =
                |(index, (first, last)): (usize, &Window)| format!("c{index}={}..{}", WORDS[*first], WORDS[*last]);
            windows.iter().enumerate().map(entry).collect::<Vec<_>>().join(", ")
        }
    };
    AppVersion { name: name.to_owned(), annotation }
}

fn check(row: CheckRow) -> Check {
    let (outcome, sight) = match row {
        CheckRow::Passes => (CheckOutcome::Passed, Sight::Fresh),
        CheckRow::Pending => (CheckOutcome::Pending("12 are left".to_owned()), Sight::Fresh),
        CheckRow::Failed => (CheckOutcome::Failed("it grows".to_owned()), Sight::Fresh),
        CheckRow::Stale => (CheckOutcome::Passed, Sight::Stale),
        CheckRow::Missing => (CheckOutcome::Passed, Sight::Missing),
    };
    Check { name: "queue".to_owned(), outcome: sighting(outcome, sight, Fact::Check) }
}

fn sighting<T>(value: T, sight: Sight, fact: Fact) -> Sighting<T> {
    match sight {
        Sight::Fresh | Sight::NotBegun => Sighting::Seen { value, at: Moment::from_unix_millis(990_000) },
        Sight::Stale => Sighting::Seen { value, at: Moment::from_unix_millis(989_999) },
        Sight::Missing => Sighting::Missing(Missing { fact, because: Because::Unreachable("no route".into()) }),
    }
}

/// Section 3 of the design, in plain numbers. A row of its table a line, the strongest first.
fn expected(rows: &[Row], overdue: bool) -> &'static str {
    let unseen = |row: &Row| {
        matches!(row.ledger, Sight::Stale | Sight::Missing)
            || matches!(row.stable_sight, Sight::Stale | Sight::Missing)
            || row.checks.iter().any(|check| matches!(check, CheckRow::Stale | CheckRow::Missing))
    };
    let begun = |row: &Row| row.ledger != Sight::NotBegun;
    let fits = |row: &Row, said: &Said| {
        let Said::Windows(windows) = said else { return false };
        let whole = |(span, (first, last)): (&PlainSpan, &Window)| {
            *first <= span.from.min(span.to) && span.from.max(span.to) <= *last
        };
        begun(row) && row.spans.iter().zip(windows).all(whole)
    };
    let never = |row: &Row| {
        let Said::Windows(canary) = &row.canary else { return false };
        let outlived =
            |(span, (_, last)): (&PlainSpan, &Window)| span.motion == Motion::Rest && span.from == 4 && *last < 4;
        let apart = |stable: &Vec<Window>| canary.iter().zip(stable).any(|(c, s)| c.1 < s.0 || s.1 < c.0);
        let no_common_phase = matches!(&row.stable, Some(Said::Windows(stable)) if apart(stable));
        begun(row) && (row.spans.iter().zip(canary).any(outlived) || no_common_phase)
    };
    let stable_fits = |row: &Row| row.stable.as_ref().is_none_or(|stable| fits(row, stable));
    // Refusing sends all traffic to stable: there must be one, and it must fit.
    let may_refuse = rows.iter().all(stable_fits) && rows.iter().any(|row| row.stable.is_some());
    let has = |outcome| rows.iter().any(|row| row.checks.contains(&outcome));
    if rows.iter().any(unseen) {
        "undecided"
    } else if rows.is_empty() {
        "wait"
    } else if rows.iter().all(|row| fits(row, &row.canary)) {
        match (has(CheckRow::Failed), has(CheckRow::Pending)) {
            (false, false) => "proceed",
            (true, _) if may_refuse => "refuse",
            (false, true) if may_refuse && overdue => "refuse",
            (true, _) | (false, true) => "wait",
        }
    } else if (overdue || rows.iter().any(never)) && may_refuse {
        "refuse"
    } else {
        "wait"
    }
}

fn judged(rows: &[Row]) -> Verdict {
    judged_after(rows, None)
}

fn judged_after(rows: &[Row], overdue: Option<Duration>) -> Verdict {
    let facts: Vec<DatabaseFacts> =
        rows.iter().enumerate().map(|(index, row)| row.facts(&format!("db{index}"))).collect();
    judge(&facts, Policy { overdue, ..POLICY }, NOW)
}

fn assert_as_expected(rows: &[Row]) -> &'static str {
    for overdue in [Some(Duration::from_secs(3_600)), None] {
        let verdict = judged_after(rows, overdue);
        assert_eq!(verdict.as_str(), expected(rows, overdue.is_some()), "{rows:#?}\n{:?}", verdict.reasons());
        assert!(!verdict.reasons().is_empty(), "a verdict without a reason: {rows:#?}");
    }
    judged(rows).as_str()
}

#[test]
fn one_change_every_window_of_both_versions_every_span() {
    let mut seen = [0_usize; 4];
    let stables: Vec<Option<Said>> = every_window()
        .into_iter()
        .map(|window| Some(Said::Windows(vec![window])))
        .chain([None, Some(Said::Unclear)])
        .collect();
    let canaries = every_window().into_iter().map(|window| Said::Windows(vec![window])).chain([Said::Unclear]);
    for canary in canaries {
        for stable in &stables {
            for span in every_span() {
                let row = Row::of(vec![span], canary.clone(), stable.clone());
                use CheckRow::{Failed, Passes, Pending};
                for checks in [vec![], vec![Passes], vec![Passes, Pending], vec![Pending, Failed]] {
                    let verdict = assert_as_expected(&[Row { checks, ..row.clone() }]);
                    let place = ["proceed", "wait", "refuse", "undecided"].iter().position(|word| *word == verdict);
                    seen[place.unwrap()] += 1;
                }
            }
        }
    }
    assert_eq!(seen.iter().sum::<usize>(), 16 * 17 * 19 * 4);
    assert!(seen[..3].iter().all(|count| *count > 100), "{seen:?}");
}

#[test]
fn two_changes_every_pair_of_spans() {
    // Every way a window can lie: the old shape's, a shorter one, the middle, the new shape's, its end, all.
    const WINDOWS: [Window; 6] = [(0, 3), (0, 1), (2, 3), (3, 4), (4, 4), (0, 4)];
    let pairs: Vec<Said> = WINDOWS.iter().flat_map(|one| WINDOWS.map(|two| Said::Windows(vec![*one, two]))).collect();
    for one in every_span() {
        for two in every_span() {
            for canary in &pairs {
                for stable in pairs.iter().map(Some).chain([None]) {
                    assert_as_expected(&[Row::of(vec![one, two], canary.clone(), stable.cloned())]);
                }
            }
        }
    }
}

#[test]
fn no_missing_or_stale_fact_is_ever_outweighed() {
    let (old, new) = ((0, 3), (3, 4));
    let contracted = PlainSpan { motion: Motion::Rest, from: 4, to: 4 };
    let sights = [Sight::Fresh, Sight::Stale, Sight::Missing];
    let checks = [CheckRow::Passes, CheckRow::Pending, CheckRow::Failed, CheckRow::Stale, CheckRow::Missing];
    for canary in [old, new] {
        for stable in [None, Some(old), Some(new)] {
            for ledger in sights.into_iter().chain([Sight::NotBegun]) {
                for stable_sight in sights {
                    for one in checks {
                        for two in checks {
                            let row = Row::one(contracted, canary, stable);
                            assert_as_expected(&[Row { ledger, stable_sight, checks: vec![one, two], ..row }]);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn several_databases_are_one_question() {
    let rest = |at| PlainSpan { motion: Motion::Rest, from: at, to: at };
    let contracting = |motion| PlainSpan { motion, from: 3, to: 4 };
    let (old, new) = ((0, 3), (3, 4));
    let fitting = Row::one(rest(3), new, Some(old));
    let rows = [
        fitting.clone(),
        Row { checks: vec![CheckRow::Pending], ..fitting.clone() },
        Row { checks: vec![CheckRow::Failed], ..fitting.clone() },
        Row { checks: vec![CheckRow::Missing], ..fitting.clone() },
        Row { ledger: Sight::NotBegun, ..fitting.clone() },
        Row { ledger: Sight::Missing, ..fitting.clone() },
        Row { stable_sight: Sight::Stale, ..fitting },
        Row::one(rest(2), new, Some(old)),
        Row::one(rest(4), new, Some(old)),
        Row::one(rest(4), old, Some(new)),
        Row::one(rest(4), old, None),
        Row::one(rest(0), (4, 4), Some(old)),
        Row::one(contracting(Motion::Intended), old, Some(new)),
        Row::one(contracting(Motion::Acting), old, Some(new)),
        Row::one(contracting(Motion::Intended), (4, 4), Some(old)),
        Row::one(contracting(Motion::Acting), (4, 4), Some(old)),
        Row::of(vec![rest(3)], Said::Unclear, Some(Said::Windows(vec![old]))),
        Row::of(vec![rest(3)], Said::Windows(vec![new]), Some(Said::Unclear)),
        Row::of(vec![], Said::Windows(vec![]), Some(Said::Windows(vec![]))),
    ];
    assert_as_expected(&[]);
    for one in &rows {
        for two in &rows {
            assert_as_expected(&[one.clone(), two.clone()]);
            for three in &rows {
                assert_as_expected(&[one.clone(), two.clone(), three.clone()]);
            }
        }
    }
}

#[test]
fn a_window_that_lets_the_new_shape_be_written_early_waits_when_rows_are_converted() {
    for canary in every_window() {
        for span in every_span() {
            let mut facts = Row::one(span, canary, None).facts("db0");
            let changes = vec![change(0, span.real(), Conversion::Rows)];
            facts.ledger = sighting(LedgerSight::Changes(changes), Sight::Fresh, Fact::Ledger);
            let verdict = judge(&[facts], POLICY, NOW);
            let one_shape = canary.1 <= 3 || canary.0 >= 3;
            let want = if one_shape { expected(&[Row::one(span, canary, None)], false) } else { "wait" };
            assert_eq!(verdict.as_str(), want, "{canary:?} {span:?}");
            let told = verdict.reasons().iter().any(|reason| reason.as_str() == "canary_unclear");
            assert_eq!(told, !one_shape, "{canary:?} {span:?}");
        }
    }
}

#[test]
fn a_stable_version_outside_its_window_is_reported_for_what_is_so_and_not_for_what_is_meant() {
    for canary in every_window() {
        for stable in every_window() {
            for span in every_span() {
                let verdict = judged(&[Row::one(span, canary, Some(stable))]);
                let so = span.without_intent();
                let stranded = so.from.min(so.to) < stable.0 || so.from.max(so.to) > stable.1;
                let told = verdict.reasons().iter().any(|reason| reason.as_str() == "stable_stranded");
                let refused = verdict.as_str() == "refuse";
                assert_eq!(told, stranded && !refused, "{canary:?} {stable:?} {span:?}");
            }
        }
    }
}

#[test]
fn the_reasons_name_what_is_live_what_is_needed_and_what_is_apart() {
    let rest = |at| PlainSpan { motion: Motion::Rest, from: at, to: at };
    let rows = [
        (Row::one(rest(2), (3, 4), Some((0, 3))), "schema_behind", "c0 is synced; canary needs migrated"),
        (Row::one(rest(3), (0, 2), Some((0, 3))), "schema_ahead", "c0 is migrated; canary works only until synced"),
        (
            Row::one(rest(4), (0, 3), Some((3, 4))),
            "outlived",
            "c0 is contracted for good; canary works only until migrated",
        ),
        (
            Row::one(rest(1), (3, 4), Some((0, 1))),
            "no_common_phase",
            "no phase of c0 suits both: the canary needs migrated..contracted, the stable version pending..expanded",
        ),
        (
            Row::one(rest(4), (3, 4), Some((0, 3))),
            "stable_stranded",
            "the stable version stable is outside its window: c0 is contracted, it needs pending..migrated",
        ),
    ];
    let checked = |row| Row { checks: vec![row], ..Row::one(rest(3), (3, 4), Some((0, 3))) };
    let more = [
        (checked(CheckRow::Pending), "check_pending", "queue: 12 are left"),
        (checked(CheckRow::Failed), "check_failed", "queue: it grows"),
    ];
    for (row, word, text) in rows.into_iter().chain(more) {
        let verdict = judged(&[row]);
        let reason = verdict.reasons().iter().find(|reason| reason.as_str() == word);
        assert_eq!(reason.map(ToString::to_string).as_deref(), Some(text), "{:?}", verdict.reasons());
    }
}

fn window() -> impl Strategy<Value = Window> {
    (0_usize..5, 0_usize..5).prop_map(|(one, two)| (one.min(two), one.max(two)))
}

fn sight() -> impl Strategy<Value = Sight> {
    prop_oneof![6 => Just(Sight::Fresh), 1 => Just(Sight::Stale), 1 => Just(Sight::Missing)]
}

fn check_row() -> impl Strategy<Value = CheckRow> {
    prop_oneof![
        6 => Just(CheckRow::Passes),
        1 => Just(CheckRow::Pending),
        1 => Just(CheckRow::Failed),
        1 => Just(CheckRow::Stale),
        1 => Just(CheckRow::Missing),
    ]
}

fn said(changes: usize) -> impl Strategy<Value = Said> {
    prop_oneof![9 => prop::collection::vec(window(), changes).prop_map(Said::Windows), 1 => Just(Said::Unclear)]
}

/// One database with one to three changes. Few windows of three fit at once, so some rows are drawn to fit.
fn row() -> impl Strategy<Value = Row> {
    (1_usize..4).prop_flat_map(|changes| {
        let spans = prop::collection::vec(prop::sample::select(every_span()), changes);
        let ledger = prop_oneof![8 => sight(), 1 => Just(Sight::NotBegun)];
        let checks = prop::collection::vec(check_row(), 0..3);
        let drawn = (spans, said(changes), prop::option::of(said(changes)), ledger, sight(), checks, any::<bool>());
        drawn.prop_map(|(spans, canary, stable, ledger, stable_sight, checks, helped)| {
            let canary = match canary {
                Said::Windows(windows) if helped => Said::Windows(around(&windows, &spans)),
                other => other,
            };
            Row { spans, canary, stable, ledger, stable_sight, checks }
        })
    })
}

/// The windows, each widened until it holds its span.
fn around(windows: &[Window], spans: &[PlainSpan]) -> Vec<Window> {
    let widen = |(window, span): (&Window, &PlainSpan)| {
        (window.0.min(span.from.min(span.to)), window.1.max(span.from.max(span.to)))
    };
    windows.iter().zip(spans).map(widen).collect()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(row(), 1..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_facts_are_judged_as_the_design_says(rows in rows()) {
        for overdue in [None, Some(Duration::from_secs(60))] {
            let verdict = judged_after(&rows, overdue);
            prop_assert_eq!(verdict.as_str(), expected(&rows, overdue.is_some()));
        }
    }

    #[test]
    fn a_wider_window_never_turns_a_yes_into_a_no(
        rows in rows(), wider in prop::collection::vec((0_usize..5, 0_usize..5), 6),
    ) {
        let mut widened = rows.clone();
        let mut wider = wider.into_iter().cycle();
        for row in &mut widened {
            if let Said::Windows(windows) = &mut row.canary {
                for window in windows {
                    let (first, last) = wider.next().unwrap();
                    *window = (window.0.min(first), window.1.max(last));
                }
            }
        }
        if judged(&rows).as_str() == "proceed" {
            let verdict = judged(&widened);
            prop_assert_eq!(verdict.as_str(), "proceed", "{:?}", widened);
        }
    }

    #[test]
    fn a_missing_or_stale_fact_is_never_a_yes(rows in rows(), which in any::<prop::sample::Index>(), how in 0..6) {
        let mut rows = rows;
        let row = which.index(rows.len());
        match how {
            0 => rows[row].ledger = Sight::Missing,
            1 => rows[row].ledger = Sight::Stale,
            2 => rows[row].stable_sight = Sight::Missing,
            3 => rows[row].stable_sight = Sight::Stale,
            4 => rows[row].checks.push(CheckRow::Missing),
            _ => rows[row].checks.push(CheckRow::Stale),
        }
        let verdict = judged(&rows);
        prop_assert_eq!(verdict.as_str(), "undecided");
    }

    #[test]
    fn a_refusal_needs_a_stable_version_that_fits_and_rests_on_no_mere_intent(rows in rows()) {
        if judged(&rows).as_str() == "refuse" {
            for row in &rows {
                if let Some(stable) = &row.stable {
                    let Said::Windows(windows) = stable else { panic!("an unclear stable version fits nothing") };
                    for (span, (first, last)) in row.spans.iter().zip(windows) {
                        prop_assert!(*first <= span.from.min(span.to) && span.from.max(span.to) <= *last);
                    }
                }
            }
            let so: Vec<Row> = rows
                .into_iter()
                .map(|row| Row { spans: row.spans.iter().map(|span| span.without_intent()).collect(), ..row })
                .collect();
            let verdict = judged(&so);
            prop_assert_eq!(verdict.as_str(), "refuse", "{:?}", so);
        }
    }

    #[test]
    fn an_intent_never_turns_a_no_into_a_yes(rows in rows()) {
        // Read backwards: whatever is let in during an intent is let in without it.
        if judged(&rows).as_str() == "proceed" {
            let so: Vec<Row> = rows
                .into_iter()
                .map(|row| Row { spans: row.spans.iter().map(|span| span.without_intent()).collect(), ..row })
                .collect();
            let verdict = judged(&so);
            prop_assert_eq!(verdict.as_str(), "proceed", "{:?}", so);
        }
    }
}
