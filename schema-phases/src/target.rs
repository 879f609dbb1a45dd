//! What Git asks for: the target phase, the next move towards it, and whether a plan is still the wanted one.

use std::{fmt, str::FromStr};

use crate::{
    phase::{Move, SchemaPhase, Span},
    sighting::{Missing, Sighting},
};

/// What Git asks of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Go forward to this phase; never back.
    Reach(SchemaPhase),
    /// Go back to this phase; never forward, and never out of `contracted`.
    RevertTo(SchemaPhase),
}

/// The next move from `at` towards `target`; `None` when there is nothing (more) to do.
pub fn next_move(at: SchemaPhase, target: Target) -> Option<Move> {
    let to = match target {
        Target::Reach(phase) if at < phase => at.next(),
        Target::RevertTo(phase) if at > phase => at.previous(),
        Target::Reach(_) | Target::RevertTo(_) => None,
    };
    to.and_then(|to| Move::new(at, to).ok())
}

/// The digest of a whole plan: 64 lower-case hexadecimal digits (SHA-256).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanDigest(String);

impl PlanDigest {
    /// The digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PlanDigest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(hex) { Ok(Self(text.to_owned())) } else { Err(BadDigest) }
    }
}

/// The text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plan digest is 64 lower-case hexadecimal digits")]
pub struct BadDigest;

/// Whether a plan is the one Git wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Currency {
    /// It is.
    Current,
    /// Git wants another: leave, whoever came last.
    Superseded {
        /// The digest Git wants.
        wanted: PlanDigest,
    },
    /// Nobody can say: do nothing.
    Unknown(Missing),
}

/// Whether the plan `mine` is still wanted. Asked before each phase and before each irreversible statement.
pub fn currency(mine: &PlanDigest, wanted: &Sighting<PlanDigest>) -> Currency {
    match wanted {
        Sighting::Seen { value, .. } if value == mine => Currency::Current,
        Sighting::Seen { value, .. } => Currency::Superseded { wanted: value.clone() },
        Sighting::Missing(missing) => Currency::Unknown(missing.clone()),
    }
}

impl Target {
    /// Whether a change at `span` has nothing left to do.
    pub fn is_reached(self, span: Span) -> bool {
        matches!(span, Span::AtRest(at) if next_move(at, self).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sighting::Moment;

    #[test]
    fn a_target_never_pulls_back_and_a_revert_never_pushes_on() {
        for at in SchemaPhase::ALL {
            for goal in SchemaPhase::ALL {
                let forward = next_move(at, Target::Reach(goal));
                assert_eq!(forward.is_some(), at < goal, "{at} {goal}");
                assert!(forward.is_none_or(Move::is_forward));
                let back = next_move(at, Target::RevertTo(goal));
                assert_eq!(back.is_some(), at > goal && at != SchemaPhase::Contracted, "{at} {goal}");
                assert!(back.is_none_or(|step| !step.is_forward()));
            }
        }
    }

    #[test]
    fn a_plan_is_current_only_when_its_own_digest_was_seen() {
        let a: PlanDigest = "a".repeat(64).parse().unwrap();
        let b: PlanDigest = "b".repeat(64).parse().unwrap();
        let at = Moment::from_unix_millis(0);
        assert_eq!(currency(&a, &Sighting::Seen { value: a.clone(), at }), Currency::Current);
        assert_eq!(currency(&a, &Sighting::Seen { value: b.clone(), at }), Currency::Superseded { wanted: b });
        assert!("A".repeat(64).parse::<PlanDigest>().is_err());
        assert!("a".repeat(63).parse::<PlanDigest>().is_err());
    }
}
