//! The rules themselves, asked once for each question: their inputs are few here, and their answers do not change.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use super::{
    packed::{number, place},
    scenario::{Guard, Scenario},
    world::{APPS, CHANGES, VERSIONS, Versions},
};
use crate::{
    AppVersion, Because, ChangeProfile, Conversion, Currency, DatabaseFacts, Fact, LedgerSight, LiveChange, Missing,
    Moment, Move, Movement, PhaseWindow, PlanDigest, Policy, SchemaPhase, Sighting, Span, Verdict, currency, judge,
    may_move,
};

const NOW: Moment = Moment::from_unix_millis(0);
const SPANS: usize = 19;
const MOVES: usize = 7;
const SIGHTS: usize = (1 << (APPS * VERSIONS)) + 1;
const UNKNOWN: u8 = u8::MAX;

/// What a gate says, without its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Proceed,
    Wait,
    Refuse,
}

pub(super) struct Rules {
    profiles: Vec<ChangeProfile>,
    versions: Vec<Vec<AppVersion>>,
    digests: Vec<PlanDigest>,
    judged: Vec<AtomicU8>,
    moved: Vec<AtomicU8>,
    current: Vec<AtomicU8>,
}

impl Rules {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let profiles = (0..scenario.changes())
            .map(|index| {
                let table = if scenario.has(Guard::Order) { "customers".to_owned() } else { format!("t{index}") };
                ChangeProfile {
                    name: format!("c{index}").parse().unwrap(),
                    order: u32::try_from(index).unwrap(),
                    tables: [table].into(),
                    old_window: PhaseWindow::until(SchemaPhase::Migrated),
                    new_window: PhaseWindow::NEW_SHAPE,
                    conversion: Conversion::Rows,
                }
            })
            .collect();
        let digit = |plan: usize| char::from_digit(u32::try_from(plan).unwrap(), 16).unwrap().to_string();
        Self {
            profiles,
            versions: scenario.apps.iter().map(|app| app.versions.iter().map(annotated).collect()).collect(),
            digests: (0..scenario.plans.len()).map(|plan| digit(plan).repeat(64).parse().unwrap()).collect(),
            judged: unknown(APPS * VERSIONS * (VERSIONS + 1) * SPANS * SPANS),
            moved: unknown(CHANGES * MOVES * SPANS * SPANS * SIGHTS),
            current: unknown(16 * 16),
        }
    }

    fn changes(&self, spans: &[Span; CHANGES]) -> Vec<LiveChange> {
        self.profiles
            .iter()
            .zip(spans)
            .map(|(profile, span)| LiveChange { profile: profile.clone(), span: *span })
            .collect()
    }

    /// What the gate of `app` says to `canary`.
    pub(super) fn judge(&self, app: usize, canary: u8, stable: Option<u8>, spans: &[Span; CHANGES]) -> Said {
        let beside = stable.map_or(VERSIONS, usize::from);
        let index = ((app * VERSIONS + usize::from(canary)) * (VERSIONS + 1) + beside) * SPANS * SPANS + pair(spans);
        let answer = remembered(&self.judged[index], || {
            let facts = DatabaseFacts {
                database: "customers".to_owned(),
                ledger: Sighting::Seen { value: LedgerSight::Changes(self.changes(spans)), at: NOW },
                canary: self.versions[app][usize::from(canary)].clone(),
                stable: Sighting::Seen {
                    value: stable.map(|stable| self.versions[app][usize::from(stable)].clone()),
                    at: NOW,
                },
                checks: Vec::new(),
            };
            match judge(&[facts], Policy { max_age: Duration::from_secs(1), overdue: None }, NOW) {
                Verdict::Proceed(..) => 0,
                Verdict::Wait(_) => 1,
                Verdict::Refuse(_) => 2,
                Verdict::Undecided(reasons) => panic!("every fact was seen: {reasons:?}"),
            }
        });
        [Said::Proceed, Said::Wait, Said::Refuse][usize::from(answer)]
    }

    /// Whether the runner may make `step`; `live` is none when it has no source of live versions.
    pub(super) fn may_move(&self, change: u8, step: Move, spans: &[Span; CHANGES], live: Option<Versions>) -> bool {
        let sight = live.map_or(SIGHTS - 1, usize::from);
        let index =
            ((usize::from(change) * MOVES + usize::from(number(step))) * SPANS * SPANS + pair(spans)) * SIGHTS + sight;
        let answer = remembered(&self.moved[index], || {
            let live = live.map_or_else(
                || {
                    let because = Because::NotThere("no cluster and no --live FILE".to_owned());
                    Sighting::Missing(Missing { fact: Fact::LiveVersions, because })
                },
                |live| Sighting::Seen { value: self.named(live), at: NOW },
            );
            let name = &self.profiles[usize::from(change)].name;
            u8::from(may_move(name, step, &self.changes(spans), &live) == Movement::Allowed)
        });
        answer == 1
    }

    fn named(&self, live: Versions) -> Vec<AppVersion> {
        let places = (0..APPS * VERSIONS).filter(|place| live & (1 << place) != 0);
        places.map(|place| self.versions[place / VERSIONS][place % VERSIONS].clone()).collect()
    }

    /// Whether the plan `mine` is the wanted one.
    pub(super) fn is_current(&self, mine: u8, wanted: u8) -> bool {
        let answer = remembered(&self.current[usize::from(mine) * 16 + usize::from(wanted)], || {
            let wanted = Sighting::Seen { value: self.digests[usize::from(wanted)].clone(), at: NOW };
            u8::from(currency(&self.digests[usize::from(mine)], &wanted) == Currency::Current)
        });
        answer == 1
    }
}

/// The version with its windows written as its annotation.
fn annotated(version: &super::scenario::Version) -> AppVersion {
    let word = |rank: u8| SchemaPhase::ALL[usize::from(rank)].as_str();
    let entry = |(index, (first, last)): (usize, &(u8, u8))| format!("c{index}={}..{}", word(*first), word(*last));
    let entries: Vec<String> = version.windows.iter().enumerate().map(entry).collect();
    AppVersion { name: version.name.to_owned(), annotation: entries.join(", ") }
}

fn unknown(count: usize) -> Vec<AtomicU8> {
    std::iter::repeat_with(|| AtomicU8::new(UNKNOWN)).take(count).collect()
}

/// Two threads may both work out an answer; it is the same one.
fn remembered(place: &AtomicU8, answer: impl FnOnce() -> u8) -> u8 {
    let known = place.load(Ordering::Relaxed);
    if known != UNKNOWN {
        return known;
    }
    let answer = answer();
    place.store(answer, Ordering::Relaxed);
    answer
}

fn pair(spans: &[Span; CHANGES]) -> usize {
    usize::from(place(spans[0])) * SPANS + usize::from(place(spans[1]))
}
