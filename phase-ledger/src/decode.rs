//! The rows of `read.sql` as a ledger. They are not trusted: a person or a restore may have changed them.

use schema_phases::{ChangeName, ChangeProfile, Conversion, Move, PhaseWindow, SchemaPhase, Span};

use crate::{
    BackfillProgress, BackfillRange, Cell, FORMAT, Generation, LedgerEntry, LedgerState, ReadError, Reading,
    ServerIdentity, cells,
};

/// How many columns `read.sql` has on every engine.
pub(crate) const COLUMNS: usize = 24;

/// One row of `read.sql`: every column as text.
pub(crate) type TextRow = [Option<String>; COLUMNS];

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// A gate: only the server that the ledger was written on will do.
    Gate,
    /// A gate, of a replica that applications read from: a standby of that server.
    Replica,
    /// The same, where a replica is a server with an identity of its own: which server its ledger was written on is for
    /// the reader of both to compare.
    Copy,
    /// The runner: it takes the ledger of another server over.
    Runner,
}

impl Whose {
    /// Whether a server that only follows another will do.
    pub(crate) const fn takes_standbys(self) -> bool {
        matches!(self, Self::Replica | Self::Copy)
    }

    /// Whether the ledger must have been written on the server that shows it.
    const fn wants_its_server(self) -> bool {
        matches!(self, Self::Gate | Self::Replica)
    }
}

/// The ledger in these rows: one for each change, or one without a change. `prefix` begins the engine's table names.
pub(crate) fn reading(rows: Vec<TextRow>, whose: Whose, prefix: &str) -> Result<Reading, ReadError> {
    let of = Source { prefix };
    let mut rows = rows.into_iter().peekable();
    let Some([format, standby, server_now, generation, server, plan, paused, ..]) = rows.peek().cloned() else {
        return Err(of.damaged("ledger", "it has no row"));
    };
    if of.truth("ledger", "standby", standby.as_deref())? && !whose.takes_standbys() {
        return Err(ReadError::Standby);
    }
    let format = of.number("ledger", "format", format.as_deref())?;
    if format != FORMAT {
        return Err(ReadError::Format { found: format, known: FORMAT });
    }
    let recorded = of.present("ledger", "server", server)?;
    let found = of.present("ledger", "server", server_now)?;
    if whose.wants_its_server() && found != recorded {
        return Err(ReadError::OtherServer { found, recorded });
    }
    let generation = Generation(of.number("ledger", "generation", generation.as_deref())?);
    let plan = plan.map(|text| text.parse()).transpose().map_err(|_| of.damaged("ledger", "the plan is no digest"))?;
    let changes = rows.filter(|row| change_name(row).is_some()).map(|row| of.entry(row)).collect::<Result<_, _>>()?;
    Ok(Reading::Ledger(LedgerState { generation, server: ServerIdentity(recorded), plan, paused, changes }))
}

/// One row of `ranges.sql`: every column as text.
pub(crate) type RangeRow = [Option<String>; 4];

/// The ranges in these rows.
pub(crate) fn ranges(rows: Vec<RangeRow>, prefix: &str) -> Result<Vec<BackfillRange>, ReadError> {
    let of = Source { prefix };
    let range = |[part, cursor, finish, rows_done]: RangeRow| {
        Ok(BackfillRange {
            part: of.number("ranges", "part", part.as_deref())?,
            cursor: of.cells("ranges", "cursor", cursor.as_deref())?,
            end: of.cells("ranges", "finish", finish.as_deref())?,
            rows_done: of.number("ranges", "rows_done", rows_done.as_deref())?,
        })
    };
    rows.into_iter().map(range).collect()
}

fn change_name(row: &TextRow) -> Option<&str> {
    let [_, _, _, _, _, _, _, name, ..] = row;
    name.as_deref()
}

/// Where the values come from, for messages.
struct Source<'a> {
    prefix: &'a str,
}

impl Source<'_> {
    fn damaged(&self, table: &str, why: impl Into<String>) -> ReadError {
        ReadError::damaged(format!("{}{table}", self.prefix), why)
    }

    fn present(&self, table: &str, column: &str, value: Option<String>) -> Result<String, ReadError> {
        value.ok_or_else(|| self.damaged(table, format!("{column} is empty")))
    }

    fn parsed<T: std::str::FromStr>(&self, table: &str, column: &str, value: Option<&str>) -> Result<T, ReadError> {
        let unreadable = || self.damaged(table, format!("{column} holds a value that cannot be there"));
        value.and_then(|text| text.parse().ok()).ok_or_else(unreadable)
    }

    fn number<T: std::str::FromStr>(&self, table: &str, column: &str, value: Option<&str>) -> Result<T, ReadError> {
        self.parsed(table, column, value)
    }

    fn truth(&self, table: &str, column: &str, value: Option<&str>) -> Result<bool, ReadError> {
        match value {
            Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(_) | None => Err(self.damaged(table, format!("{column} is neither true nor false"))),
        }
    }

    fn cells(&self, table: &str, column: &str, value: Option<&str>) -> Result<Vec<Cell>, ReadError> {
        let text = value.ok_or_else(|| self.damaged(table, format!("{column} is empty")))?;
        cells::decode(text).map_err(|why| self.damaged(table, format!("{column}: {why}")))
    }

    fn entry(&self, row: TextRow) -> Result<LedgerEntry, ReadError> {
        let [
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            name,
            ordinal,
            tables,
            old_window,
            new_window,
            conversion,
            definition,
            phase,
            moving_to,
            acting,
            new_shape_live,
            done,
            step,
            rows_done,
            rows_total,
            rows_per_second,
            held,
        ] = row;
        let of = "changes";
        let tables = self.cells(of, "tables", tables.as_deref())?;
        let tables = tables.into_iter().map(|cell| match cell {
            Cell::Text(name) => Ok(name),
            Cell::Null | Cell::Int(_) | Cell::Real(_) | Cell::Bytes(_) => {
                Err(self.damaged(of, "tables holds a value that is no name"))
            }
        });
        let profile = ChangeProfile {
            name: self.parsed::<ChangeName>(of, "name", name.as_deref())?,
            order: self.number(of, "ordinal", ordinal.as_deref())?,
            tables: tables.collect::<Result<_, _>>()?,
            old_window: self.parsed::<PhaseWindow>(of, "old_window", old_window.as_deref())?,
            new_window: self.parsed::<PhaseWindow>(of, "new_window", new_window.as_deref())?,
            conversion: conversion_of(conversion.as_deref())
                .ok_or_else(|| self.damaged(of, "conversion is neither none nor rows"))?,
        };
        let phase = self.parsed::<SchemaPhase>(of, "phase", phase.as_deref())?;
        let acting = self.truth(of, "acting", acting.as_deref())?;
        let span = match (moving_to, acting) {
            (None, false) => Span::AtRest(phase),
            (None, true) => return Err(self.damaged(of, "a change is acting and moves nowhere")),
            (Some(to), acting) => {
                let to = self.parsed::<SchemaPhase>(of, "moving_to", Some(&to))?;
                let step = Move::new(phase, to).map_err(|not| self.damaged(of, not.to_string()))?;
                if acting { Span::Acting(step) } else { Span::Intended(step) }
            }
        };
        let backfill = match step {
            None => None,
            Some(step) => Some(BackfillProgress {
                step: self.number("backfills", "step", Some(&step))?,
                rows_done: self.number("backfills", "rows_done", rows_done.as_deref())?,
                rows_total: self.number("backfills", "rows_total", rows_total.as_deref())?,
                rows_per_second: self.number("backfills", "rows_per_second", rows_per_second.as_deref())?,
                held,
            }),
        };
        let done = done.as_deref().unwrap_or_default();
        let done = done.split(',').filter(|step| !step.is_empty()).map(|step| self.number("done", "step", Some(step)));
        Ok(LedgerEntry {
            profile,
            span,
            definition: self.present(of, "definition", definition)?,
            new_shape_live: self.truth(of, "new_shape_live", new_shape_live.as_deref())?,
            done: done.collect::<Result<_, _>>()?,
            backfill,
        })
    }
}

/// The word for a conversion in the ledger.
pub(crate) const fn conversion_word(conversion: Conversion) -> &'static str {
    match conversion {
        Conversion::None => "none",
        Conversion::Rows => "rows",
    }
}

fn conversion_of(word: Option<&str>) -> Option<Conversion> {
    [Conversion::None, Conversion::Rows].into_iter().find(|conversion| word == Some(conversion_word(*conversion)))
}

#[cfg(test)]
mod tests;
