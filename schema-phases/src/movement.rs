//! The second rule: may a change move? And what to do with a span that a dead runner left behind.

use std::fmt;

use crate::{
    change::LiveChange,
    name::ChangeName,
    phase::{Move, SchemaPhase, Span},
    sighting::{Because, Fact, Missing, Sighting},
    supports::{AppVersion, Unclear},
    window::PhaseWindow,
};

/// The answer to "may this change move?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Movement {
    /// It takes no live version out of its window, or further away from it.
    Allowed,
    /// It would, or the order of the changes forbids it.
    Blocked(Vec<Blocker>),
    /// Nobody can say which versions are live, and the move would harm a version that may well exist.
    Undecided(Missing),
}

/// What stands in the way of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// A live version would be taken out of its window, or further away from it.
    Version {
        /// The version's name.
        version: String,
        /// The window it has for this change.
        window: PhaseWindow,
    },
    /// What a live version needs cannot be told.
    UnclearVersion {
        /// The version's name.
        version: String,
        /// Why.
        unclear: Unclear,
    },
    /// An earlier change on the same tables is not contracted yet.
    EarlierChange {
        /// That change.
        change: ChangeName,
        /// Where it stands.
        span: Span,
    },
    /// A later change on the same tables is past pending.
    LaterChange {
        /// That change.
        change: ChangeName,
        /// Where it stands.
        span: Span,
    },
    /// Another change on the same tables is in the middle of a move.
    Unfinished {
        /// That change.
        change: ChangeName,
        /// Where it stands.
        span: Span,
    },
    /// The change is not where the move begins.
    Elsewhere {
        /// Where it stands.
        span: Span,
    },
}

/// Whether `change` may make `step`, given all `changes` of its database and the versions that are live.
///
/// Asked twice for each move: before the intent is written, and again after it. The order in which the live versions
/// are read is the caller's part of the promise (linearizable reads, pods last).
///
/// When there is no source of live versions at all ([`Because::NotThere`]: a laptop), a move that harms no conceivable
/// version, neither the old shape's nor the new shape's, is still allowed. A source that is out of reach is another
/// matter: behind it may be a version with a shorter window, so nothing moves.
pub fn may_move(change: &ChangeName, step: Move, changes: &[LiveChange], live: &Sighting<Vec<AppVersion>>) -> Movement {
    let Some(this) = changes.iter().find(|other| other.profile.name == *change) else {
        let why = format!("it has no change named `{change}`");
        return Movement::Undecided(Missing { fact: Fact::Ledger, because: Because::NotThere(why) });
    };
    let mut blockers = order_blockers(this, step, changes);
    match live {
        Sighting::Seen { value: versions, .. } => {
            blockers.extend(versions.iter().filter_map(|version| version_blocker(version, this, step, changes)));
        }
        Sighting::Missing(missing) if blockers.is_empty() => {
            let conceivable = [this.profile.old_window, this.profile.new_window];
            let no_source = matches!(missing.because, Because::NotThere(_));
            if !no_source || conceivable.iter().any(|window| harms(*window, step)) {
                return Movement::Undecided(missing.clone());
            }
        }
        Sighting::Missing(_) => {}
    }
    if blockers.is_empty() { Movement::Allowed } else { Movement::Blocked(blockers) }
}

/// Whether a contract that has hidden the old shape may take it away for good. Only who is live is asked: the order of the
/// changes was, when it began. Blocked means that it must be brought back, as a version that needs it came in.
pub fn may_finish(
    change: &ChangeName,
    step: Move,
    changes: &[LiveChange],
    live: &Sighting<Vec<AppVersion>>,
) -> Movement {
    let Some(this) = changes.iter().find(|other| other.profile.name == *change) else {
        let why = format!("it has no change named `{change}`");
        return Movement::Undecided(Missing { fact: Fact::Ledger, because: Because::NotThere(why) });
    };
    match live {
        Sighting::Missing(missing) => Movement::Undecided(missing.clone()),
        Sighting::Seen { value: versions, .. } => {
            let needs = |version| version_blocker(version, this, step, changes);
            let blockers: Vec<Blocker> = versions.iter().filter_map(needs).collect();
            if blockers.is_empty() { Movement::Allowed } else { Movement::Blocked(blockers) }
        }
    }
}

/// The second rule for one window: out of it, or further away from it.
fn harms(window: PhaseWindow, step: Move) -> bool {
    window.distance(step.to()) > window.distance(step.from())
}

fn version_blocker(version: &AppVersion, this: &LiveChange, step: Move, changes: &[LiveChange]) -> Option<Blocker> {
    match version.window(&this.profile, changes) {
        Ok(window) => harms(window, step).then(|| Blocker::Version { version: version.name.clone(), window }),
        Err(unclear) => Some(Blocker::UnclearVersion { version: version.name.clone(), unclear }),
    }
}

fn order_blockers(this: &LiveChange, step: Move, changes: &[LiveChange]) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    if this.span != Span::AtRest(step.from()) && this.span != Span::Intended(step) {
        blockers.push(Blocker::Elsewhere { span: this.span });
    }
    for other in changes.iter().filter(|other| other.profile.shares_table_with(&this.profile)) {
        let (change, span) = (other.profile.name.clone(), other.span);
        if step.to() == SchemaPhase::Contracted
            && other.profile.order < this.profile.order
            && span != Span::AtRest(SchemaPhase::Contracted)
        {
            blockers.push(Blocker::EarlierChange { change, span });
        } else if !step.is_forward()
            && other.profile.order > this.profile.order
            && span != Span::AtRest(SchemaPhase::Pending)
        {
            blockers.push(Blocker::LaterChange { change, span });
        } else if other.profile.name != this.profile.name && !matches!(span, Span::AtRest(_)) {
            // A revert that cannot be finished for now looked behind itself when it began, and will not look again.
            blockers.push(Blocker::Unfinished { change, span });
        }
    }
    blockers
}

/// What a runner does with the span it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing was left behind.
    Nothing,
    /// An intent that never touched the schema: take it back.
    Withdraw(Move),
    /// A move that had begun to touch the schema: go on to its end.
    GoOn(Move),
}

/// What the next runner does with a span, whoever left it.
pub const fn recover(span: Span) -> Recovery {
    match span {
        Span::AtRest(_) => Recovery::Nothing,
        Span::Intended(step) => Recovery::Withdraw(step),
        Span::Acting(step) => Recovery::GoOn(step),
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { version, window } => write!(f, "{version}, which needs {window}"),
            Self::UnclearVersion { version, unclear } => write!(f, "{version}: {unclear}"),
            Self::EarlierChange { change, span } => {
                write!(f, "the earlier change {change} on the same table, which is {span} and not contracted")
            }
            Self::LaterChange { change, span } => {
                write!(f, "the later change {change} on the same table, which is {span} and not pending")
            }
            Self::Unfinished { change, span } => {
                write!(f, "the change {change} on the same table, which is {span} and must be finished first")
            }
            Self::Elsewhere { span } => write!(f, "the change itself, which is {span}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        change::{ChangeProfile, Conversion},
        sighting::Moment,
    };

    fn change(name: &str, order: u32, span: Span) -> LiveChange {
        LiveChange {
            profile: ChangeProfile {
                name: name.parse().unwrap(),
                order,
                tables: ["customers".to_owned()].into(),
                old_window: PhaseWindow::until(SchemaPhase::Migrated),
                new_window: PhaseWindow::NEW_SHAPE,
                conversion: Conversion::Rows,
            },
            span,
        }
    }

    fn seen(annotations: &[&str]) -> Sighting<Vec<AppVersion>> {
        let value = annotations.iter().map(|text| AppVersion { name: (*text).into(), annotation: (*text).into() });
        Sighting::Seen { value: value.collect(), at: Moment::from_unix_millis(0) }
    }

    fn unseen() -> Sighting<Vec<AppVersion>> {
        let because = Because::NotThere("no cluster and no --live FILE".into());
        Sighting::Missing(Missing { fact: Fact::LiveVersions, because })
    }

    fn every_move() -> Vec<Move> {
        let pairs = SchemaPhase::ALL.into_iter().flat_map(|from| SchemaPhase::ALL.map(|to| Move::new(from, to)));
        pairs.filter_map(Result::ok).collect()
    }

    #[test]
    fn a_hidden_shape_goes_only_when_everybody_was_seen_and_nobody_needs_it() {
        let contract = Move::new(SchemaPhase::Migrated, SchemaPhase::Contracted).unwrap();
        // An earlier change that is not contracted does not matter any more.
        let all = [change("first", 1, Span::AtRest(SchemaPhase::Migrated)), change("split", 2, Span::Acting(contract))];
        let ask = |live: &Sighting<Vec<AppVersion>>| may_finish(&"split".parse().unwrap(), contract, &all, live);
        assert_eq!(ask(&seen(&[])), Movement::Allowed);
        assert_eq!(ask(&seen(&["split"])), Movement::Allowed);
        assert!(matches!(ask(&seen(&["split", ""])), Movement::Blocked(by) if by.len() == 1));
        assert!(matches!(ask(&seen(&["splitt"])), Movement::Blocked(_)));
        assert!(matches!(ask(&unseen()), Movement::Undecided(_)));
        assert!(matches!(may_finish(&"x".parse().unwrap(), contract, &all, &seen(&[])), Movement::Undecided(_)));
    }

    #[test]
    fn every_move_against_every_window_follows_the_rule() {
        let windows: Vec<(PhaseWindow, String)> = SchemaPhase::ALL
            .into_iter()
            .flat_map(|first| SchemaPhase::ALL.map(|last| PhaseWindow::new(first, last)))
            .filter_map(Result::ok)
            .map(|window| (window, format!("split={window}")))
            .collect();
        for step in every_move() {
            for (window, annotation) in &windows {
                let changes = [change("split", 1, Span::AtRest(step.from()))];
                let answer = may_move(&changes[0].profile.name, step, &changes, &seen(&[annotation]));
                // Written out anew, not by calling the rule: it goes out, or it was out and goes further.
                let gets_worse = if step.is_forward() { step.to() > window.last() } else { step.to() < window.first() };
                assert_eq!(answer == Movement::Allowed, !gets_worse, "{step} with {window}");
            }
        }
    }

    #[test]
    fn contract_waits_for_every_version_of_the_old_shape_and_names_it() {
        let changes = [change("split", 1, Span::AtRest(SchemaPhase::Migrated))];
        let step = Move::new(SchemaPhase::Migrated, SchemaPhase::Contracted).unwrap();
        let Movement::Blocked(blockers) = may_move(&changes[0].profile.name, step, &changes, &seen(&["split", ""]))
        else {
            panic!("must be blocked")
        };
        assert_eq!(blockers.len(), 1);
        assert_eq!(blockers[0].to_string(), ", which needs pending..migrated");
    }

    #[test]
    fn a_source_of_live_versions_that_is_out_of_reach_stops_every_move() {
        let whys = [
            Because::Unreachable("no route".into()),
            Because::TimedOut(std::time::Duration::from_secs(1)),
            Because::Stale { age: std::time::Duration::from_secs(60) },
            Because::NotPermitted("list pods".into()),
            Because::Untrusted("half a list".into()),
        ];
        for because in whys {
            let missing = Missing { fact: Fact::LiveVersions, because };
            for step in every_move() {
                let changes = [change("split", 1, Span::AtRest(step.from()))];
                let answer = may_move(&changes[0].profile.name, step, &changes, &Sighting::Missing(missing.clone()));
                assert_eq!(answer, Movement::Undecided(missing.clone()), "{step}");
            }
        }
    }

    #[test]
    fn nothing_moves_on_a_table_while_another_change_of_it_is_unfinished() {
        for other in every_move() {
            for span in [Span::Intended(other), Span::Acting(other)] {
                for step in every_move() {
                    for (mine, its) in [(1, 2), (2, 1)] {
                        let mut changes = [change("mine", mine, Span::AtRest(step.from())), change("other", its, span)];
                        let name = changes[0].profile.name.clone();
                        let answer = may_move(&name, step, &changes, &seen(&[]));
                        assert!(matches!(answer, Movement::Blocked(_)), "{step} beside {span}");
                        changes[1].profile.tables = ["orders".to_owned()].into();
                        assert_eq!(may_move(&name, step, &changes, &seen(&[])), Movement::Allowed, "{step} {span}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_any_source_of_live_versions_only_harmless_moves_are_made() {
        let allowed: Vec<String> = every_move()
            .into_iter()
            .filter(|step| {
                let changes = [change("split", 1, Span::AtRest(step.from()))];
                may_move(&changes[0].profile.name, *step, &changes, &unseen()) == Movement::Allowed
            })
            .map(|step| step.to_string())
            .collect();
        assert_eq!(allowed, ["pending to expanded", "expanded to synced", "synced to migrated"]);
    }

    #[test]
    fn an_unreadable_version_blocks_every_move() {
        for step in every_move() {
            let changes = [change("split", 1, Span::AtRest(step.from()))];
            let answer = may_move(&changes[0].profile.name, step, &changes, &seen(&["NOT A NAME"]));
            assert!(matches!(answer, Movement::Blocked(_)), "{step}");
        }
    }

    #[test]
    fn the_order_of_changes_on_one_table_is_kept_both_ways() {
        let contract = Move::new(SchemaPhase::Migrated, SchemaPhase::Contracted).unwrap();
        let back = Move::new(SchemaPhase::Migrated, SchemaPhase::Synced).unwrap();
        for other in SchemaPhase::ALL {
            let changes =
                [change("one", 1, Span::AtRest(other)), change("two", 2, Span::AtRest(SchemaPhase::Migrated))];
            let answer = may_move(&changes[1].profile.name, contract, &changes, &seen(&[]));
            assert_eq!(answer == Movement::Allowed, other == SchemaPhase::Contracted, "{other}");

            let changes =
                [change("one", 1, Span::AtRest(SchemaPhase::Migrated)), change("two", 2, Span::AtRest(other))];
            let answer = may_move(&changes[0].profile.name, back, &changes, &seen(&[]));
            assert_eq!(answer == Movement::Allowed, other == SchemaPhase::Pending, "{other}");
        }
    }

    #[test]
    fn a_move_begins_where_the_change_is() {
        let step = Move::new(SchemaPhase::Synced, SchemaPhase::Migrated).unwrap();
        let rows = [
            (Span::AtRest(SchemaPhase::Synced), true),
            (Span::Intended(step), true),
            (Span::Acting(step), false),
            (Span::AtRest(SchemaPhase::Expanded), false),
        ];
        for (span, allowed) in rows {
            let changes = [change("split", 1, span)];
            let answer = may_move(&changes[0].profile.name, step, &changes, &seen(&[]));
            assert_eq!(answer == Movement::Allowed, allowed, "{span}");
        }
    }

    #[test]
    fn an_intent_is_withdrawn_and_an_act_is_finished() {
        let step = Move::new(SchemaPhase::Synced, SchemaPhase::Migrated).unwrap();
        assert_eq!(recover(Span::AtRest(SchemaPhase::Synced)), Recovery::Nothing);
        assert_eq!(recover(Span::Intended(step)), Recovery::Withdraw(step));
        assert_eq!(recover(Span::Acting(step)), Recovery::GoOn(step));
    }
}
