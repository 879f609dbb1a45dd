//! One line an event: text for Job logs, JSON for programs.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Event, Report};

/// How often a line of progress is worth a line in a log.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

struct Out<W> {
    writer: W,
    progress_every: Duration,
    last_progress: Option<Instant>,
}

impl<W: Write> Out<W> {
    /// A broken pipe must not end a migration, so what cannot be written is dropped.
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.writer, "{line}").and_then(|()| self.writer.flush());
    }

    fn is_too_soon(&mut self, event: &Event) -> bool {
        if !matches!(event, Event::Progress { backfill, .. } if backfill.percent() < 100) {
            self.last_progress = None;
            return false;
        }
        let soon = self.last_progress.is_some_and(|last| last.elapsed() < self.progress_every);
        if !soon {
            self.last_progress = Some(Instant::now());
        }
        soon
    }
}

/// Text, one line an event.
pub struct Lines<W>(Mutex<Out<W>>);

impl<W: Write + Send> Lines<W> {
    /// Lines to `writer`.
    pub fn new(writer: W) -> Self {
        Self(Mutex::new(Out { writer, progress_every: PROGRESS_EVERY, last_progress: None }))
    }
}

impl<W: Write + Send> Report for Lines<W> {
    fn tell(&self, event: &Event) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !out.is_too_soon(event) {
            out.line(&event.to_string());
        }
    }
}

/// JSON, one object an event and line.
pub struct JsonLines<W>(Mutex<Out<W>>);

impl<W: Write + Send> JsonLines<W> {
    /// Lines to `writer`.
    pub fn new(writer: W) -> Self {
        Self(Mutex::new(Out { writer, progress_every: PROGRESS_EVERY, last_progress: None }))
    }
}

impl<W: Write + Send> Report for JsonLines<W> {
    fn tell(&self, event: &Event) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !out.is_too_soon(event) {
            out.line(&event.to_json().to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use schema_phases::{Move, SchemaPhase};

    use super::*;
    use crate::report::BackfillView;

    fn progress(rows_done: u64) -> Event {
        Event::Progress {
            change: "split".parse().unwrap(),
            step: Move::new(SchemaPhase::Synced, SchemaPhase::Migrated).unwrap(),
            backfill: BackfillView { table: "t".into(), rows_done, rows_total: 100, rows_per_second: 0, held: None },
        }
    }

    #[tokio::test]
    async fn progress_is_told_at_once_then_now_and_then_and_at_the_end() {
        for (progress_every, want) in [(PROGRESS_EVERY, vec!["1", "100"]), (Duration::ZERO, vec!["1", "2", "100"])] {
            let mut bytes = Vec::new();
            {
                let lines = Lines(Mutex::new(Out { writer: &mut bytes, progress_every, last_progress: None }));
                for rows in [1, 2, 100] {
                    lines.tell(&progress(rows));
                }
            }
            let text = String::from_utf8(bytes).unwrap();
            let percents: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(5)).collect();
            assert_eq!(percents, want);
        }
    }
}
