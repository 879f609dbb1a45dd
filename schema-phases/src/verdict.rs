//! The first rule: may this version be let in? Facts, policy and now go in; a verdict with reasons comes out.

use std::{fmt, time::Duration};

use crate::{
    change::LiveChange,
    name::ChangeName,
    phase::Span,
    sighting::{Fact, Missing, Moment, Sighting},
    supports::{AppVersion, Unclear},
    window::{Fit, PhaseWindow},
};

/// What a gate saw of one database.
#[derive(Clone, Debug)]
pub struct DatabaseFacts {
    /// The database's name.
    pub database: String,
    /// Its changes and where they stand.
    pub ledger: Sighting<LedgerSight>,
    /// The version that asks to be let in.
    pub canary: AppVersion,
    /// The version that serves now; none on a first deploy.
    pub stable: Sighting<Option<AppVersion>>,
    /// Further checks that must pass.
    pub checks: Vec<Check>,
}

/// What stands where the ledger should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerSight {
    /// No ledger, and nothing that a runner made: nobody has begun.
    NotBegun,
    /// The changes it holds.
    Changes(Vec<LiveChange>),
}

/// One check beside the two windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// What it found.
    pub outcome: Sighting<CheckOutcome>,
}

/// What a check found. The texts go to users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It holds.
    Passed,
    /// It does not hold, and may yet. The text says what is so.
    Pending(String),
    /// It does not hold, and whoever declared it wants the version taken back then. The text says what is so.
    Failed(String),
}

/// How much a decision may rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Facts older than this are missing.
    pub max_age: Duration,
    /// For how long the version has waited, once that is longer than its owner lets it wait: what would be a Wait is
    /// then a Refuse, wherever one is allowed.
    pub overdue: Option<Duration>,
}

/// Proof that [`judge`] said Proceed. Nothing else can make one.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit(());

/// The answer to "may this version be let in?", always with reasons.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let it in.
    Proceed(Permit, Vec<Reason>),
    /// Not yet.
    Wait(Vec<Reason>),
    /// It can never come true, and the stable version fits.
    Refuse(Vec<Reason>),
    /// A required fact is missing.
    Undecided(Vec<Reason>),
}

impl Verdict {
    /// The word used in logs, metrics and the step's status.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Proceed(..) => "proceed",
            Self::Wait(_) => "wait",
            Self::Refuse(_) => "refuse",
            Self::Undecided(_) => "undecided",
        }
    }

    /// Why.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::Proceed(_, reasons) | Self::Wait(reasons) | Self::Refuse(reasons) | Self::Undecided(reasons) => {
                reasons
            }
        }
    }
}

/// Why a verdict is what it is. `Display` is a clause for people; [`Reason::as_str`] is the word for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The canary fits every change.
    Fits,
    /// The schema has not come as far as the canary needs.
    SchemaBehind(Misfit),
    /// The schema is, or may come, beyond the canary's window, and can still come back.
    SchemaAhead(Misfit),
    /// The schema was contracted away from under the canary.
    Outlived(Misfit),
    /// No phase of the change suits both the canary and the stable version.
    NoCommonPhase {
        /// The change.
        change: ChangeName,
        /// The canary's window.
        canary: PhaseWindow,
        /// The stable version's window.
        stable: PhaseWindow,
    },
    /// The stable version is outside its window: it came in by another door, or the database was restored.
    StableStranded(Misfit),
    /// What the canary needs cannot be told.
    CanaryUnclear(Unclear),
    /// What the stable version needs cannot be told.
    StableUnclear(Unclear),
    /// There is no ledger yet.
    NotBegun {
        /// The database.
        database: String,
    },
    /// The pod template names no database.
    NoDatabase,
    /// A check does not hold yet.
    CheckPending {
        /// The check.
        check: String,
        /// What is so.
        found: String,
    },
    /// A check does not hold, and its version is to be taken back then.
    CheckFailed {
        /// The check.
        check: String,
        /// What is so.
        found: String,
    },
    /// It has waited longer than its owner lets it wait.
    Overdue {
        /// For how long.
        waited: Duration,
    },
    /// A required fact is missing.
    Unseen {
        /// The database.
        database: String,
        /// The fact, and why it is missing.
        missing: Missing,
    },
}

/// A version, a change, and a span outside the version's window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The version.
    pub version: String,
    /// The change.
    pub change: ChangeName,
    /// Where the change is.
    pub span: Span,
    /// What the version needs.
    pub window: PhaseWindow,
}

impl Reason {
    /// The word used for metrics and logs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::SchemaBehind(_) => "schema_behind",
            Self::SchemaAhead(_) => "schema_ahead",
            Self::Outlived(_) => "outlived",
            Self::NoCommonPhase { .. } => "no_common_phase",
            Self::StableStranded(_) => "stable_stranded",
            Self::CanaryUnclear(_) => "canary_unclear",
            Self::StableUnclear(_) => "stable_unclear",
            Self::NotBegun { .. } => "not_begun",
            Self::NoDatabase => "no_database",
            Self::CheckPending { .. } => "check_pending",
            Self::CheckFailed { .. } => "check_failed",
            Self::Overdue { .. } => "overdue",
            Self::Unseen { .. } => "unseen",
        }
    }
}

/// Where the canary stands towards all changes of all its databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Canary {
    Inside,
    /// Waiting can bring it inside.
    NotYet,
    /// Nothing can.
    Never,
}

/// Where the stable version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stable {
    Absent,
    /// The whole span is inside its window, intents included.
    Inside,
    /// It fits what is so, but perhaps not what is intended; or nobody can tell what it needs.
    Uncertain,
    /// It is outside what is so.
    Stranded,
}

/// Whether the canary may be let in.
///
/// A missing required fact is Undecided before anything else is looked at. A Refuse and a reported violation count only
/// what is at rest or acting, never a mere intent.
pub fn judge(databases: &[DatabaseFacts], policy: Policy, now: Moment) -> Verdict {
    if databases.is_empty() {
        return Verdict::Wait(vec![Reason::NoDatabase]);
    }
    let mut unseen = Vec::new();
    let mut seen = Vec::new();
    for facts in databases {
        match look(facts, policy, now) {
            Ok(view) => seen.push(view),
            Err(missing) => unseen.extend(
                missing.into_iter().map(|missing| Reason::Unseen { database: facts.database.clone(), missing }),
            ),
        }
    }
    if !unseen.is_empty() {
        return Verdict::Undecided(unseen);
    }
    let mut canary = Canary::Inside;
    let mut stable = Stable::Absent;
    let mut why_canary = Vec::new();
    let mut why_stable = Vec::new();
    for view in &seen {
        canary = canary.max(canary_standing(view, &mut why_canary));
        stable = stable.max(stable_standing(view, &mut why_stable));
    }
    let (failed, pending) = unmet_checks(&seen);
    let overdue: Vec<Reason> = policy.overdue.map(|waited| Reason::Overdue { waited }).into_iter().collect();
    match (stable, canary) {
        // Also when stable does not fit: that is the way out, and is said.
        (_, Canary::Inside) if failed.is_empty() && pending.is_empty() => {
            Verdict::Proceed(Permit(()), [vec![Reason::Fits], why_stable].concat())
        }
        (Stable::Inside, Canary::Inside) if !failed.is_empty() => Verdict::Refuse(failed),
        (Stable::Inside, Canary::Inside) if !overdue.is_empty() => Verdict::Refuse([overdue, pending].concat()),
        (Stable::Inside, Canary::NotYet) if !overdue.is_empty() => Verdict::Refuse([overdue, why_canary].concat()),
        (Stable::Inside, Canary::Never) => Verdict::Refuse(why_canary),
        // A refusal aborts, and an abort sends traffic back to stable: never refuse while stable is unfit or unsure.
        (Stable::Absent | Stable::Inside | Stable::Uncertain | Stable::Stranded, Canary::Inside) => {
            Verdict::Wait([failed, pending, why_stable].concat())
        }
        (Stable::Absent | Stable::Uncertain | Stable::Stranded, Canary::Never)
        | (Stable::Absent | Stable::Inside | Stable::Uncertain | Stable::Stranded, Canary::NotYet) => {
            Verdict::Wait([why_canary, why_stable].concat())
        }
    }
}

/// All facts of one database, seen and fresh.
struct View<'a> {
    facts: &'a DatabaseFacts,
    ledger: &'a LedgerSight,
    stable: Option<&'a AppVersion>,
    checks: Vec<(&'a str, &'a CheckOutcome)>,
}

fn look<'a>(facts: &'a DatabaseFacts, policy: Policy, now: Moment) -> Result<View<'a>, Vec<Missing>> {
    let mut missing = Vec::new();
    let ledger = facts.ledger.fresh(Fact::Ledger, policy.max_age, now).map_err(|why| missing.push(why));
    let stable = facts.stable.fresh(Fact::StableVersion, policy.max_age, now).map_err(|why| missing.push(why));
    let mut checks = Vec::new();
    for check in &facts.checks {
        match check.outcome.fresh(Fact::Check, policy.max_age, now) {
            Ok(outcome) => checks.push((check.name.as_str(), outcome)),
            Err(why) => missing.push(why),
        }
    }
    match (ledger, stable) {
        (Ok(ledger), Ok(stable)) if missing.is_empty() => Ok(View { facts, ledger, stable: stable.as_ref(), checks }),
        _ => Err(missing),
    }
}

fn canary_standing(view: &View<'_>, why: &mut Vec<Reason>) -> Canary {
    let LedgerSight::Changes(changes) = view.ledger else {
        why.push(Reason::NotBegun { database: view.facts.database.clone() });
        return Canary::NotYet;
    };
    let windows = match view.facts.canary.windows(changes) {
        Ok(windows) => windows,
        Err(unclear) => {
            why.push(Reason::CanaryUnclear(unclear));
            return Canary::NotYet;
        }
    };
    let stable = view.stable.and_then(|stable| stable.windows(changes).ok());
    let mut standing = Canary::Inside;
    for (index, (change, window)) in changes.iter().zip(&windows).enumerate() {
        let (here, reason) = one_change(&view.facts.canary, change, *window);
        standing = standing.max(here);
        why.extend(reason);
        let stable = stable.as_ref().and_then(|windows| windows.get(index));
        if let Some(stable) = stable.filter(|stable| here != Canary::Inside && !stable.meets(*window)) {
            let change = change.profile.name.clone();
            why.push(Reason::NoCommonPhase { change, canary: *window, stable: *stable });
            standing = Canary::Never;
        }
    }
    standing
}

fn one_change(canary: &AppVersion, change: &LiveChange, window: PhaseWindow) -> (Canary, Option<Reason>) {
    let misfit = misfit(canary, change, change.span, window);
    match window.fit(change.span) {
        Fit::Inside => (Canary::Inside, None),
        Fit::TooEarly => (Canary::NotYet, Some(Reason::SchemaBehind(misfit))),
        Fit::TooLate => (Canary::NotYet, Some(Reason::SchemaAhead(misfit))),
        Fit::Outlived => (Canary::Never, Some(Reason::Outlived(misfit))),
    }
}

fn stable_standing(view: &View<'_>, why: &mut Vec<Reason>) -> Stable {
    let Some(stable) = view.stable else { return Stable::Absent };
    // Without a ledger nothing has moved: what serves now serves on the schema it has always had.
    let LedgerSight::Changes(changes) = view.ledger else { return Stable::Uncertain };
    let windows = match stable.windows(changes) {
        Ok(windows) => windows,
        Err(unclear) => {
            why.push(Reason::StableUnclear(unclear));
            return Stable::Uncertain;
        }
    };
    let mut standing = Stable::Inside;
    for (change, window) in changes.iter().zip(windows) {
        let settled = change.span.settled();
        if window.fit(settled) != Fit::Inside {
            why.push(Reason::StableStranded(misfit(stable, change, settled, window)));
            standing = standing.max(Stable::Stranded);
        } else if window.fit(change.span) != Fit::Inside {
            standing = standing.max(Stable::Uncertain);
        }
    }
    standing
}

fn misfit(version: &AppVersion, change: &LiveChange, span: Span, window: PhaseWindow) -> Misfit {
    Misfit { version: version.name.clone(), change: change.profile.name.clone(), span, window }
}

/// The checks that failed, and those that do not hold yet.
fn unmet_checks(seen: &[View<'_>]) -> (Vec<Reason>, Vec<Reason>) {
    let (mut failed, mut pending) = (Vec::new(), Vec::new());
    for (check, outcome) in seen.iter().flat_map(|view| &view.checks) {
        let check = (*check).to_owned();
        match outcome {
            CheckOutcome::Passed => {}
            CheckOutcome::Pending(found) => pending.push(Reason::CheckPending { check, found: found.clone() }),
            CheckOutcome::Failed(found) => failed.push(Reason::CheckFailed { check, found: found.clone() }),
        }
    }
    (failed, pending)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fits => f.write_str("the schema is inside its window"),
            Self::SchemaBehind(it) => {
                write!(f, "{} is {}; {} needs {}", it.change, it.span, it.version, it.window.first())
            }
            Self::SchemaAhead(it) => {
                write!(f, "{} is {}; {} works only until {}", it.change, it.span, it.version, it.window.last())
            }
            Self::Outlived(it) => {
                write!(f, "{} is {} for good; {} works only until {}", it.change, it.span, it.version, it.window.last())
            }
            Self::NoCommonPhase { change, canary, stable } => {
                write!(f, "no phase of {change} suits both: the canary needs {canary}, the stable version {stable}")
            }
            Self::StableStranded(it) => write!(
                f,
                "the stable version {} is outside its window: {} is {}, it needs {}",
                it.version, it.change, it.span, it.window
            ),
            Self::CanaryUnclear(unclear) => write!(f, "the canary is unclear: {unclear}"),
            Self::StableUnclear(unclear) => write!(f, "the stable version is unclear: {unclear}"),
            Self::NotBegun { database } => {
                write!(f, "the database {database} has no ledger yet; its runner has not begun")
            }
            Self::NoDatabase => f.write_str(
                "the pod template has no label database.phasegate.dev/<database>; add one, or remove the step",
            ),
            Self::CheckPending { check, found } | Self::CheckFailed { check, found } => write!(f, "{check}: {found}"),
            Self::Overdue { waited } => {
                write!(f, "it has waited for {} s, longer than its step allows", waited.as_secs())
            }
            Self::Unseen { database, missing } => write!(f, "database {database}: {missing}"),
        }
    }
}

#[cfg(test)]
mod tests;
