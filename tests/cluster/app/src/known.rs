//! What a user knows of its customers: what was acknowledged, and what may have happened besides.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

/// After this long, a write that was not answered happens no more: the app gives up sooner, and has the database do so.
const SETTLED: Duration = Duration::from_secs(30);

/// What is known of one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// Acknowledged at this revision.
    Known(i64),
    /// A write had no answer: it is as it was before (not there, for one that should come in), or as after.
    InDoubt { before: Option<i64>, after: i64 },
}

impl Row {
    /// Whether a customer at that revision, or none, is what may be there.
    pub(crate) fn may_be(self, revision: Option<i64>) -> bool {
        match self {
            Self::Known(known) => revision == Some(known),
            Self::InDoubt { before, after } => revision == before || revision == Some(after),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(revision) => write!(to, "at revision {revision}"),
            Self::InDoubt { before: Some(before), after } => write!(to, "at revision {before} or {after}"),
            Self::InDoubt { before: None, after } => write!(to, "at revision {after}, or not there"),
        }
    }
}

/// What a user knows; a customer that is not here is at revision 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    rows: BTreeMap<i64, Row>,
    /// When the write in doubt was sent.
    sent: BTreeMap<i64, Instant>,
}

impl Known {
    pub(crate) fn row(&self, id: i64) -> Row {
        self.rows.get(&id).copied().unwrap_or(Row::Known(0))
    }

    pub(crate) fn acknowledged(&mut self, id: i64, revision: i64) {
        self.rows.insert(id, Row::Known(revision));
    }

    /// A write to that revision had no answer. One to revision 1 of a customer nobody has was to bring it in.
    pub(crate) fn doubted(&mut self, id: i64, after: i64, sent: Instant, existed: bool) {
        let before = if existed { Some(after - 1) } else { None };
        self.rows.insert(id, Row::InDoubt { before, after });
        self.sent.insert(id, sent);
    }

    /// A read, asked for then, that found what may be there decides a doubt: the new value at once, the old one when
    /// nothing can be under way any more.
    pub(crate) fn seen(&mut self, id: i64, revision: Option<i64>, asked: Instant) {
        let Row::InDoubt { before, after } = self.row(id) else { return };
        let settled = self.sent.get(&id).is_some_and(|sent| asked.duration_since(*sent) > SETTLED);
        if revision == Some(after) {
            self.acknowledged(id, after);
        } else if let (Some(before), true) = (before, settled) {
            self.acknowledged(id, before);
        }
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.rows.extend(other.rows);
    }

    /// All that differs from revision 0.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (i64, Row)> {
        self.rows.iter().map(|(id, row)| (*id, *row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_ends_with_the_new_value_at_once_and_with_the_old_one_when_nothing_can_be_under_way() {
        #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
        let sent = Instant::now();
        let soon = sent + Duration::from_secs(1);
        let late = sent + SETTLED + Duration::from_secs(1);
        let mut known = Known::default();
        known.acknowledged(7, 4);
        known.doubted(7, 5, sent, true);
        assert_eq!(known.row(7), Row::InDoubt { before: Some(4), after: 5 });
        known.seen(7, Some(4), soon);
        assert_eq!(known.row(7), Row::InDoubt { before: Some(4), after: 5 }, "it may still come");
        let mut other = known.clone();
        known.seen(7, Some(5), soon);
        assert_eq!(known.row(7), Row::Known(5));
        other.seen(7, Some(4), late);
        assert_eq!(other.row(7), Row::Known(4));
    }

    #[test]
    fn a_customer_that_should_come_in_may_be_absent_until_it_was_seen() {
        #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
        let sent = Instant::now();
        let mut known = Known::default();
        known.doubted(9, 1, sent, false);
        assert!(known.row(9).may_be(None) && known.row(9).may_be(Some(1)) && !known.row(9).may_be(Some(0)));
        known.seen(9, Some(1), sent);
        assert_eq!(known.row(9), Row::Known(1));
    }
}
