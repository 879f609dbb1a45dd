//! The check that every write begins with, on engines that have servers.

use crate::{Generation, ReadError, WriteError};

/// Format, generation and the session's mark, as the server has them.
pub(crate) type FenceRow = (Option<String>, Option<String>, Option<String>);

/// Whether the ledger, whose first table is `ledger`, is of the known format and still at generation `mine`, and the
/// session of the server is the one that was opened.
pub(crate) fn check(row: Option<FenceRow>, mine: Generation, mark: &str, ledger: &str) -> Result<(), WriteError> {
    let damaged = |why: &str| WriteError::Read(ReadError::damaged(ledger, why));
    let Some((format, generation, marked)) = row else { return Err(damaged("it has no row")) };
    if marked.as_deref() != Some(mark) {
        return Err(WriteError::Read(ReadError::Pooler));
    }
    let format: u32 = format.and_then(|text| text.parse().ok()).ok_or_else(|| damaged("format is no number"))?;
    if format != crate::FORMAT {
        return Err(WriteError::Read(ReadError::Format { found: format, known: crate::FORMAT }));
    }
    let newest: u64 =
        generation.and_then(|text| text.parse().ok()).ok_or_else(|| damaged("generation is no number"))?;
    if newest == mine.0 { Ok(()) } else { Err(WriteError::Fenced { mine }) }
}

/// The generation in this row, if it can be raised.
pub(crate) fn raisable(row: Option<&FenceRow>, ledger: &str) -> Result<u64, WriteError> {
    let generation = row.and_then(|(_, generation, _)| generation.as_deref()?.parse().ok());
    generation
        .filter(|generation| *generation < i64::MAX as u64)
        .ok_or_else(|| WriteError::Read(ReadError::damaged(ledger, "generation is no number that can be raised")))
}
