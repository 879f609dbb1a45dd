//! `PhaseWindow`: the phases of one change in which one app version works, and how a span fits into it.

use std::{fmt, str::FromStr};

use crate::phase::{SchemaPhase, Span, UnknownPhase};

/// The phases of one schema change that one app version can live with, first to last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhaseWindow {
    first: SchemaPhase,
    last: SchemaPhase,
}

/// The first phase comes after the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window {first}..{last} is reversed; write {last}..{first}")]
pub struct ReversedWindow {
    /// What was given as the first phase.
    pub first: SchemaPhase,
    /// What was given as the last phase.
    pub last: SchemaPhase,
}

impl PhaseWindow {
    /// Every phase: what a version has that the change does not concern.
    pub const WHOLE: Self = Self { first: SchemaPhase::Pending, last: SchemaPhase::Contracted };
    /// What a version built for the new shape needs unless it says otherwise.
    pub const NEW_SHAPE: Self = Self { first: SchemaPhase::Migrated, last: SchemaPhase::Contracted };

    /// The window from `first` to `last`.
    ///
    /// # Errors
    /// [`ReversedWindow`] when `first` comes after `last`.
    pub fn new(first: SchemaPhase, last: SchemaPhase) -> Result<Self, ReversedWindow> {
        if first <= last { Ok(Self { first, last }) } else { Err(ReversedWindow { first, last }) }
    }

    /// The window from `pending` to `last`: what the old shape has.
    pub const fn until(last: SchemaPhase) -> Self {
        Self { first: SchemaPhase::Pending, last }
    }

    /// The first phase inside.
    pub const fn first(self) -> SchemaPhase {
        self.first
    }

    /// The last phase inside.
    pub const fn last(self) -> SchemaPhase {
        self.last
    }

    /// Whether the phase is inside.
    pub fn contains(self, phase: SchemaPhase) -> bool {
        self.first <= phase && phase <= self.last
    }

    /// Whether every phase of `other` is inside.
    pub fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether some phase is inside both.
    pub fn meets(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// How many phases away `phase` is; 0 inside.
    pub const fn distance(self, phase: SchemaPhase) -> u8 {
        self.first.rank().saturating_sub(phase.rank()) + phase.rank().saturating_sub(self.last.rank())
    }

    /// How the whole span lies in this window.
    pub fn fit(self, span: Span) -> Fit {
        if span.lowest() < self.first {
            Fit::TooEarly
        } else if span.highest() <= self.last {
            Fit::Inside
        } else if span == Span::AtRest(SchemaPhase::Contracted) {
            Fit::Outlived
        } else {
            Fit::TooLate
        }
    }
}

/// How a span lies in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fit {
    /// The whole span is inside.
    Inside,
    /// Part of the span lies before the window: the schema is behind, or is moving there.
    TooEarly,
    /// Part of the span lies beyond the window, and a revert or a withdrawn intent can still bring it back.
    TooLate,
    /// Contracted at rest, beyond the window: this never comes back.
    Outlived,
}

impl fmt::Display for PhaseWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)
    }
}

/// The text is not a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableWindow {
    /// There is no `..` in it.
    #[error("`{found}` is not a window; write FIRST..LAST, for example migrated..contracted")]
    NoRange {
        /// What stood there.
        found: String,
    },
    /// One end is no phase.
    #[error(transparent)]
    Phase(#[from] UnknownPhase),
    /// The ends are in the wrong order.
    #[error(transparent)]
    Reversed(#[from] ReversedWindow),
}

impl FromStr for PhaseWindow {
    type Err = UnreadableWindow;

    fn from_str(text: &str) -> Result<Self, UnreadableWindow> {
        let (first, last) = text
            .split_once("..")
            .ok_or_else(|| UnreadableWindow::NoRange { found: text.chars().take(64).collect() })?;
        Ok(Self::new(first.trim().parse()?, last.trim().parse()?)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::phase::Move;

    pub(crate) fn all_windows() -> Vec<PhaseWindow> {
        let mut windows = Vec::new();
        for first in SchemaPhase::ALL {
            for last in SchemaPhase::ALL {
                windows.extend(PhaseWindow::new(first, last));
            }
        }
        windows
    }

    pub(crate) fn all_spans() -> Vec<Span> {
        let mut spans = Vec::new();
        for from in SchemaPhase::ALL {
            spans.push(Span::AtRest(from));
            for to in SchemaPhase::ALL {
                if let Ok(step) = Move::new(from, to) {
                    spans.extend([Span::Intended(step), Span::Acting(step)]);
                }
            }
        }
        spans
    }

    #[test]
    fn a_reversed_window_is_refused_with_the_remedy() {
        let refused = "contracted..migrated".parse::<PhaseWindow>().unwrap_err();
        assert_eq!(refused.to_string(), "the window contracted..migrated is reversed; write migrated..contracted");
    }

    #[test]
    fn every_window_reads_back_from_its_text() {
        assert_eq!(all_windows().len(), 15);
        for window in all_windows() {
            assert_eq!(window.to_string().parse(), Ok(window));
        }
    }

    #[test]
    fn a_span_fits_exactly_when_both_its_ends_are_inside() {
        for window in all_windows() {
            for span in all_spans() {
                let both = window.contains(span.lowest()) && window.contains(span.highest());
                assert_eq!(window.fit(span) == Fit::Inside, both, "{window} {span}");
            }
        }
    }

    #[test]
    fn only_contracted_at_rest_outlives_a_version() {
        for window in all_windows() {
            for span in all_spans() {
                let outlived = span == Span::AtRest(SchemaPhase::Contracted) && window.last() < SchemaPhase::Contracted;
                assert_eq!(window.fit(span) == Fit::Outlived, outlived, "{window} {span}");
            }
        }
    }

    #[test]
    fn distance_is_zero_exactly_inside() {
        for window in all_windows() {
            for phase in SchemaPhase::ALL {
                assert_eq!(window.distance(phase) == 0, window.contains(phase));
            }
        }
    }

    proptest! {
        #[test]
        fn text_of_any_kind_is_read_or_refused_and_never_panics(text in ".{0,40}") {
            let _ = text.parse::<PhaseWindow>();
        }
    }
}
