//! Counting what must not exist, before `migrated` is written.

use phase_ledger::{Cell, Session};
use schema_changes::{SchemaChange, Verification};

use crate::{
    halt::{Halt, MoveError},
    moves::plain,
    protocol::Attempt,
};

impl Attempt<'_> {
    /// Counts the rows whose shapes disagree; any at all is an error that names the count.
    ///
    /// As long as no version of the new shape can have written, only `new = f(old)` counts as agreement: the weaker
    /// rule, which a writer of the new shape needs, would hide an update that the sync missed.
    pub(crate) async fn verify(&mut self, change: &SchemaChange, it: &Verification) -> Result<String, Halt> {
        let state = self.state().await?;
        let new_shape_live = state.change(&change.profile.name).is_some_and(|entry| entry.new_shape_live);
        let query = if new_shape_live { &it.lenient } else { &it.strict };
        match number(self.session.as_mut(), query).await? {
            0 => Ok(format!("verified that {}", it.what)),
            count => Err(MoveError::Disagree { what: it.what.clone(), count, query: query.clone() }.into()),
        }
    }
}

/// The one number that a query returns.
pub(crate) async fn number(session: &mut dyn Session, query: &str) -> Result<u64, Halt> {
    let rows = session.query(&plain(query)).await?;
    let number = match rows.first().map(Vec::as_slice) {
        Some([Cell::Int(number)]) => u64::try_from(*number).ok(),
        Some([Cell::Text(text)]) => text.parse().ok(),
        // A sum over no rows.
        Some([Cell::Null]) => Some(0),
        _ => None,
    };
    number.ok_or_else(|| MoveError::NotANumber { query: query.to_owned() }.into())
}
