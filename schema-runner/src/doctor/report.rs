//! What the doctor says, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Diagnosis, Severity, TableSize};
use crate::{
    exit::Exit,
    report::{count, duration},
};

/// Rows a second on one connection of a small machine, as measured with no index beside the key and with three.
const PLAIN: u64 = 170_000;
const INDEXED: u64 = 47_000;

impl TableSize {
    /// How long filling every row would take; a guess from its indexes.
    pub fn fill_time(&self) -> Duration {
        let rate = if self.indexes >= 2 { INDEXED } else { PLAIN };
        Duration::from_secs(self.rows / rate)
    }
}

impl Diagnosis {
    fn number(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// How the command ends: a blocker does not pass by itself.
    pub fn exit(&self) -> Exit {
        if self.number(Severity::Blocker) == 0 { Exit::Done } else { Exit::Never }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}: {} blockers, {} warnings\n",
            self.database,
            self.number(Severity::Blocker),
            self.number(Severity::Warning)
        );
        for finding in &self.findings {
            text.push_str(&format!(
                "\n{:<8} {} ({})\n         {}\n         {}\n",
                finding.severity.as_str(),
                finding.about,
                finding.check,
                finding.what,
                finding.remedy
            ));
        }
        if !self.tables.is_empty() {
            text.push_str("\nTABLE, ROWS, SIZE, TO FILL EVERY ROW\n");
        }
        for table in &self.tables {
            text.push_str(&format!(
                "{}, {} rows, {}, {}\n",
                table.table,
                count(table.rows),
                bytes(table.bytes),
                duration(table.fill_time())
            ));
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "database": self.database,
            "exit": self.exit().code(),
            "findings": self.findings.iter().map(|finding| json!({
                "severity": finding.severity.as_str().to_lowercase(),
                "check": finding.check,
                "about": finding.about,
                "what": finding.what,
                "remedy": finding.remedy,
            })).collect::<Vec<_>>(),
            "tables": self.tables.iter().map(|table| json!({
                "table": table.table,
                "rows": table.rows,
                "bytes": table.bytes,
                "indexes": table.indexes,
                "fill_s": table.fill_time().as_secs(),
            })).collect::<Vec<_>>(),
        })
    }
}

/// `12.3 MiB`.
pub(super) fn bytes(number: u64) -> String {
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => {
            let tenths = u128::from(number) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{number} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_say_them() {
        for (number, want) in [(0, "0 bytes"), (1_536, "1.5 KiB"), (68 << 20, "68.0 MiB"), (3 << 30, "3.0 GiB")] {
            assert_eq!(bytes(number), want);
        }
    }

    #[test]
    fn a_table_with_indexes_takes_longer_to_fill() {
        let table = |indexes| TableSize { table: "t".into(), rows: 10_000_000, bytes: 0, indexes };
        assert!(table(3).fill_time() > table(0).fill_time().saturating_mul(3));
    }
}
