//! `SchemaPhase`, `Move` and `Span`: where one schema change stands in the live database.

use std::{fmt, str::FromStr};

/// How far one schema change has come in the live database. Ordered: a later phase is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaPhase {
    /// Declared, and nothing of it is in the database.
    Pending,
    /// The new shape stands beside the old one, empty and unenforced.
    Expanded,
    /// Every write from now on keeps both shapes equal.
    Synced,
    /// The rows written before agree as well, and that was verified.
    Migrated,
    /// The old shape is gone.
    Contracted,
}

impl SchemaPhase {
    /// Every phase, in order.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Expanded, Self::Synced, Self::Migrated, Self::Contracted];

    /// The word used in files, annotations, the ledger and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Expanded => "expanded",
            Self::Synced => "synced",
            Self::Migrated => "migrated",
            Self::Contracted => "contracted",
        }
    }

    /// Its place in the order, from 0.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Expanded => 1,
            Self::Synced => 2,
            Self::Migrated => 3,
            Self::Contracted => 4,
        }
    }

    /// The phase after this one.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Pending => Some(Self::Expanded),
            Self::Expanded => Some(Self::Synced),
            Self::Synced => Some(Self::Migrated),
            Self::Migrated => Some(Self::Contracted),
            Self::Contracted => None,
        }
    }

    /// The phase before this one.
    pub const fn previous(self) -> Option<Self> {
        match self {
            Self::Pending => None,
            Self::Expanded => Some(Self::Pending),
            Self::Synced => Some(Self::Expanded),
            Self::Migrated => Some(Self::Synced),
            Self::Contracted => Some(Self::Migrated),
        }
    }
}

impl fmt::Display for SchemaPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is none of the five phases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a schema phase; the phases are pending, expanded, synced, migrated, contracted")]
pub struct UnknownPhase {
    /// What stood there.
    pub found: String,
}

impl FromStr for SchemaPhase {
    type Err = UnknownPhase;

    fn from_str(text: &str) -> Result<Self, UnknownPhase> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| UnknownPhase { found: text.chars().take(64).collect() })
    }
}

/// One step of a schema change between two neighbouring phases. Nothing leaves `contracted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Move {
    from: SchemaPhase,
    to: SchemaPhase,
}

/// The two phases are not neighbours, or the first is `contracted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no schema change moves from {from} to {to}")]
pub struct NotAMove {
    /// The phase to leave.
    pub from: SchemaPhase,
    /// The phase to reach.
    pub to: SchemaPhase,
}

impl Move {
    /// The move between two neighbours.
    ///
    /// # Errors
    /// [`NotAMove`] for anything but one step, and for every step out of `contracted`.
    pub fn new(from: SchemaPhase, to: SchemaPhase) -> Result<Self, NotAMove> {
        let forward = from.next() == Some(to);
        let back = from != SchemaPhase::Contracted && from.previous() == Some(to);
        if forward || back { Ok(Self { from, to }) } else { Err(NotAMove { from, to }) }
    }

    /// The phase it leaves.
    pub const fn from(self) -> SchemaPhase {
        self.from
    }

    /// The phase it reaches.
    pub const fn to(self) -> SchemaPhase {
        self.to
    }

    /// Whether it goes towards `contracted`.
    pub const fn is_forward(self) -> bool {
        self.to.rank() > self.from.rank()
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// Where a change may be right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// At one phase; nobody means to move it.
    AtRest(SchemaPhase),
    /// A runner wrote that it means to move it, and has not touched the schema.
    Intended(Move),
    /// A runner has begun to touch the schema; the move goes on to its end, whoever runs it.
    Acting(Move),
}

impl Span {
    /// The lowest phase it may be at.
    pub fn lowest(self) -> SchemaPhase {
        match self {
            Self::AtRest(phase) => phase,
            Self::Intended(step) | Self::Acting(step) => step.from.min(step.to),
        }
    }

    /// The highest phase it may be at.
    pub fn highest(self) -> SchemaPhase {
        match self {
            Self::AtRest(phase) => phase,
            Self::Intended(step) | Self::Acting(step) => step.from.max(step.to),
        }
    }

    /// The phase last recorded as reached.
    pub const fn at(self) -> SchemaPhase {
        match self {
            Self::AtRest(phase) => phase,
            Self::Intended(step) | Self::Acting(step) => step.from,
        }
    }

    /// The same without a mere intent: what is so, and not what somebody means to do.
    pub const fn settled(self) -> Self {
        match self {
            Self::AtRest(_) | Self::Acting(_) => self,
            Self::Intended(step) => Self::AtRest(step.from),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtRest(phase) => write!(f, "{phase}"),
            Self::Intended(step) => write!(f, "{}, about to move to {}", step.from, step.to),
            Self::Acting(step) => write!(f, "moving from {} to {}", step.from, step.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_reads_back_from_its_word() {
        for phase in SchemaPhase::ALL {
            assert_eq!(phase.as_str().parse(), Ok(phase));
        }
        assert!("Pending".parse::<SchemaPhase>().is_err());
        assert!("".parse::<SchemaPhase>().is_err());
    }

    #[test]
    fn the_order_of_the_words_is_the_order_of_the_ranks() {
        for pair in SchemaPhase::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
            assert_eq!(pair[0].rank() + 1, pair[1].rank());
            assert_eq!(pair[0].next(), Some(pair[1]));
            assert_eq!(pair[1].previous(), Some(pair[0]));
        }
    }

    #[test]
    fn only_neighbours_are_moves_and_nothing_leaves_contracted() {
        let mut moves = Vec::new();
        for from in SchemaPhase::ALL {
            for to in SchemaPhase::ALL {
                if let Ok(step) = Move::new(from, to) {
                    moves.push(step.to_string());
                }
            }
        }
        assert_eq!(
            moves,
            [
                "pending to expanded",
                "expanded to pending",
                "expanded to synced",
                "synced to expanded",
                "synced to migrated",
                "migrated to synced",
                "migrated to contracted"
            ]
        );
    }

    #[test]
    fn a_span_covers_both_ends_of_its_move_whichever_way_it_goes() {
        let back = Move::new(SchemaPhase::Migrated, SchemaPhase::Synced).unwrap();
        for span in [Span::Intended(back), Span::Acting(back)] {
            assert_eq!(span.lowest(), SchemaPhase::Synced);
            assert_eq!(span.highest(), SchemaPhase::Migrated);
            assert_eq!(span.at(), SchemaPhase::Migrated);
        }
        assert_eq!(Span::Intended(back).settled(), Span::AtRest(SchemaPhase::Migrated));
        assert_eq!(Span::Acting(back).settled(), Span::Acting(back));
    }
}
