//! What came of a scenario: told as it ends, and kept for the table that `tests/cluster/run` prints last.

use std::{collections::BTreeMap, io::Write, path::Path, sync::Mutex, time::Instant};

use serde::Deserialize;

use crate::kubectl::{now, tell};

/// What the users tell.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) writes: u64,
    /// Requests without the answer a user must get.
    pub(crate) failed: u64,
    /// Likewise, while the test said that the database is down.
    pub(crate) excused: u64,
    /// Writes of which nobody could know whether they happened, until a later look.
    pub(crate) unknown: u64,
    /// Rows that are not what was acknowledged.
    pub(crate) lost: u64,
    pub(crate) verified: u64,
    pub(crate) served: BTreeMap<String, u64>,
    pub(crate) why: Vec<String>,
}

impl Figures {
    /// How many requests that version answered.
    pub(crate) fn served_by(&self, version: &str) -> u64 {
        self.served.get(version).copied().unwrap_or(0)
    }
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    scenario: String,
    /// Its test, as the test program names it.
    test: String,
    began: Instant,
    figures: Mutex<Option<Figures>>,
    notes: Mutex<Vec<String>>,
}

impl Line {
    /// Of the scenario that begins now.
    pub(crate) fn new(scenario: &str) -> Self {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        Self { scenario: scenario.to_owned(), test, began: now(), figures: Mutex::default(), notes: Mutex::default() }
    }

    /// What the users said in the end.
    pub(crate) fn figures(&self, figures: &Figures) {
        *self.figures.lock().unwrap() = Some(figures.clone());
    }

    /// Something worth a place in the table.
    pub(crate) fn note(&self, note: String) {
        tell(&self.scenario, format_args!("{note}"));
        self.notes.lock().unwrap().push(note);
    }

    fn write(&self, outcome: &str) -> std::io::Result<()> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster-figures");
        std::fs::create_dir_all(&folder)?;
        let figures = self.figures.lock().unwrap();
        let numbers = figures.as_ref().map_or_else(
            || "-\t-\t-\t-\t-\t-".to_owned(),
            |it| {
                format!("{}\t{}\t{}\t{}\t{}\t{}", it.requests, it.failed, it.excused, it.unknown, it.lost, it.verified)
            },
        );
        let line = format!(
            "{}\t{outcome}\t{}\t{numbers}\t{}\t{}\n",
            self.scenario,
            self.began.elapsed().as_secs(),
            self.notes.lock().unwrap().join("; "),
            self.test,
        );
        std::fs::File::create(folder.join(&self.scenario))?.write_all(line.as_bytes())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.write(if std::thread::panicking() { "FAILED" } else { "ok" });
    }
}
