//! What `make bench-runner` measured, and what it should be: the JSON it writes, and the table that the documents show.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};

/// What the benchmark measured, in one run or several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it ran on.
    pub machine: Machine,
    /// Rows of the table that most figures are measured on.
    pub rows: u64,
    /// Rows of the largest table.
    pub largest: u64,
    /// How many pairs make a figure.
    pub pairs: usize,
    /// How long all of it took, in seconds, over all runs.
    pub took_s: u64,
    /// Measurements that could not be made, and why.
    #[serde(default)]
    pub failed: BTreeMap<String, String>,
    /// The figures, by name.
    pub figures: BTreeMap<String, Figure>,
}

/// What a benchmark ran on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many of them.
    pub cores: usize,
    /// Gigabytes of memory.
    pub memory_gb: u64,
    /// The kernel.
    pub kernel: String,
    /// Processes that wanted to run in the last minute, before it began.
    pub load_before: f64,
    /// The servers it measured.
    pub servers: Vec<String>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The median, or the largest.
    pub value: f64,
    /// `x`, `ms`, `MB`, `rows/s`.
    pub unit: String,
    /// What it is the median of, from the least to the greatest.
    #[serde(default)]
    pub measured: Vec<f64>,
    /// When: `2026-11-21 20:15 UTC`.
    #[serde(default)]
    pub at: String,
}

/// On which side of its aim a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// More is better.
    AtLeast,
    /// Less is better.
    AtMost,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// The figure's name.
    pub name: &'static str,
    /// The side.
    pub bound: Bound,
    /// The limit.
    pub value: f64,
    /// What is measured, for people.
    pub what: &'static str,
}

const fn at_least(name: &'static str, value: f64, what: &'static str) -> Aim {
    Aim { name, bound: Bound::AtLeast, value, what }
}

const fn at_most(name: &'static str, value: f64, what: &'static str) -> Aim {
    Aim { name, bound: Bound::AtMost, value, what }
}

/// Every aim.
pub const AIMS: [Aim; 22] = [
    at_least("backfill_vs_single_update_1_postgres", 0.9, "rate on one connection, by that of one single UPDATE"),
    at_least("backfill_vs_single_update_1_mariadb", 0.9, "the same"),
    at_least("backfill_vs_single_update_1_sqlite", 0.9, "the same"),
    at_least("backfill_vs_single_update_2_postgres", 1.3, "rate on two connections, by that of one single UPDATE"),
    at_least("backfill_vs_single_update_2_mariadb", 1.3, "the same"),
    at_least("backfill_flatness_postgres", 0.85, "slowest rate by the fastest, from small to large tables"),
    at_least("backfill_flatness_mariadb", 0.85, "the same"),
    at_least("backfill_flatness_sqlite", 0.85, "the same"),
    at_least("backfill_vs_pgroll_batch", 3.0, "time of pgroll's batches without statistics, by ours"),
    at_least("backfill_vs_reshape", 2.5, "time of `reshape migration start`, by that of a whole run of ours"),
    at_least("backfill_vs_pt_osc_mariadb", 2.0, "time of pt-online-schema-change and the UPDATE that fills, by ours"),
    at_most("trigger_cost_mapped_postgres", 2.0, "time of a bulk UPDATE of mapped columns, by that without triggers"),
    at_most("trigger_cost_unmapped_postgres", 1.2, "the same of other columns"),
    at_most("trigger_cost_oltp_postgres", 1.1, "the same of transactions of one row"),
    at_least("trigger_vs_pgroll", 1.5, "time of that bulk UPDATE with pgroll's two triggers, by that with ours"),
    at_most("writer_p99_vs_idle_postgres", 3.0, "p99 of writers during a backfill, by that before it"),
    at_most("writer_p99_vs_idle_mariadb", 3.0, "the same"),
    at_most("writer_p99_vs_idle_sqlite", 3.0, "the same"),
    at_most(
        "blocking_lock_max_ms_postgres",
        10.0,
        "longest time that a writer stood still while columns and triggers came and went",
    ),
    at_most("blocking_lock_max_ms_mariadb", 10.0, "the same"),
    at_most("blocking_lock_max_ms_sqlite", 10.0, "the same"),
    at_most("runner_peak_mb", 50.0, "most memory of any run"),
];

impl Aim {
    /// Whether the figure is where it should be.
    pub fn is_met(&self, value: f64) -> bool {
        match self.bound {
            Bound::AtLeast => value >= self.value,
            Bound::AtMost => value <= self.value,
        }
    }

    fn sign(&self) -> &'static str {
        match self.bound {
            Bound::AtLeast => "at least",
            Bound::AtMost => "at most",
        }
    }
}

/// Two runs whose figures cannot stand in one table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it holds figures of {0}, and these are of {1}: take the same --rows and --pairs, the same machine, or another --json"
)]
pub struct Differ(String, String);

impl Report {
    /// This one, not yet begun, with what an earlier run has measured.
    ///
    /// # Errors
    /// [`Differ`] when that was another machine, other servers, or other sizes.
    pub fn with(self, earlier: Self) -> Result<Self, Differ> {
        let told = |report: &Self| {
            let Machine { processor, cores, memory_gb, kernel, load_before: _, servers } = &report.machine;
            let Self { rows, pairs, .. } = report;
            format!(
                "{rows} rows and {pairs} pairs on {cores} cores of {processor}, {memory_gb} GB, {kernel}, {servers:?}"
            )
        };
        let (here, there) = (told(&self), told(&earlier));
        if here != there {
            return Err(Differ(there, here));
        }
        let load_before = self.machine.load_before.max(earlier.machine.load_before);
        let machine = Machine { load_before, ..self.machine };
        Ok(Self { machine, largest: self.largest.max(earlier.largest), ..earlier })
    }

    /// From when to when its figures are.
    fn dates(&self) -> String {
        let mut dates: Vec<&str> = self.figures.values().map(|figure| figure.at.as_str()).collect();
        dates.sort_unstable();
        match (dates.first(), dates.last()) {
            (Some(first), Some(last)) if first != last => format!("from {first} to {last}"),
            (Some(only), _) => (*only).to_owned(),
            (None, _) => String::new(),
        }
    }

    /// Names of aims that are missed, or were not measured.
    pub fn wanting(&self) -> Vec<&'static str> {
        let met = |aim: &&Aim| self.figures.get(aim.name).is_some_and(|figure| aim.is_met(figure.value));
        AIMS.iter().filter(|aim| !met(aim)).map(|aim| aim.name).collect()
    }

    /// Names of aims that are missed.
    pub fn missed(&self) -> Vec<&'static str> {
        self.wanting().into_iter().filter(|name| self.figures.contains_key(*name)).collect()
    }

    /// The page's part that comes from the measurements, as Markdown.
    pub fn to_markdown(&self) -> String {
        if self.figures.is_empty() {
            return "Nothing was measured yet.\n".to_owned();
        }
        let Machine { processor, cores, memory_gb, kernel, load_before, servers } = &self.machine;
        let mut text = format!(
            "Measured {}: {cores} cores of {processor}, {memory_gb} GB, Linux {kernel}, {}; load at most {load_before:.1} when it began. \
             {} rows, MariaDB half of them; {} pairs a figure; up to {} rows for flatness; {} min in all.\n\n\
             | figure | measured | range | aim | |\n|---|---|---|---|---|\n",
            self.dates(),
            servers.join(", "),
            self.rows,
            self.pairs,
            self.largest,
            self.took_s.div_ceil(60),
        );
        for aim in &AIMS {
            let (measured, range, verdict) = match self.figures.get(aim.name) {
                Some(figure) => {
                    let range = match (figure.measured.first(), figure.measured.last()) {
                        (Some(least), Some(most)) if figure.measured.len() > 1 => {
                            format!("{} to {}", short(*least), short(*most))
                        }
                        _ => String::new(),
                    };
                    let verdict = if aim.is_met(figure.value) { "met" } else { "**missed**" };
                    (format!("{} {}", short(figure.value), figure.unit), range, verdict)
                }
                None => ("not measured".to_owned(), String::new(), ""),
            };
            let _ = writeln!(
                text,
                "| {}<br>`{}` | {measured} | {range} | {} {} | {verdict} |",
                aim.what,
                aim.name,
                aim.sign(),
                aim.value
            );
        }
        text.push_str("\nBeside them:\n\n| figure | measured | range |\n|---|---|---|\n");
        for (name, figure) in self.figures.iter().filter(|(name, _)| !AIMS.iter().any(|aim| aim.name == name.as_str()))
        {
            let range = match (figure.measured.first(), figure.measured.last()) {
                (Some(least), Some(most)) if figure.measured.len() > 1 => {
                    format!("{} to {}", short(*least), short(*most))
                }
                _ => String::new(),
            };
            let _ = writeln!(text, "| `{name}` | {} {} | {range} |", short(figure.value), figure.unit);
        }
        for (name, why) in &self.failed {
            let why = why.lines().next().unwrap_or_default();
            let _ = writeln!(text, "\n{name} could not be measured: {why}");
        }
        text
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_met_what_is_missed_and_what_nobody_measured() {
        let figure = |value, unit: &str| Figure {
            value,
            unit: unit.to_owned(),
            measured: vec![value, value + 1.0],
            at: String::new(),
        };
        let figures = BTreeMap::from([
            ("backfill_vs_single_update_1_postgres".to_owned(), figure(0.9, "x")),
            ("blocking_lock_max_ms_postgres".to_owned(), figure(10.1, "ms")),
            ("single_update_postgres".to_owned(), figure(123_456.7, "rows/s")),
        ]);
        let report = Report { figures, ..Report::default() };
        assert!(!report.wanting().contains(&"backfill_vs_single_update_1_postgres"), "the limit itself is met");
        assert!(report.wanting().contains(&"runner_peak_mb"));
        assert_eq!(report.missed(), ["blocking_lock_max_ms_postgres"]);
        let text = report.to_markdown();
        assert!(
            text.contains("`backfill_vs_single_update_1_postgres` | 0.90 x | 0.90 to 1.90 | at least 0.9 | met |"),
            "{text}"
        );
        assert!(
            text.contains("`blocking_lock_max_ms_postgres` | 10.1 ms | 10.1 to 11.1 | at most 10 | **missed** |"),
            "{text}"
        );
        assert!(text.contains("`runner_peak_mb` | not measured |"), "{text}");
        assert!(text.contains("| `single_update_postgres` | 123457 rows/s |"), "{text}");
    }

    #[test]
    fn what_was_measured_earlier_is_kept_if_it_was_the_same() {
        let figure = |at: &str| Figure { value: 1.0, unit: "x".into(), measured: Vec::new(), at: at.into() };
        let machine = |load_before| Machine { cores: 2, load_before, ..Machine::default() };
        let figures = BTreeMap::from([("a".to_owned(), figure("2026-11-20")), ("b".to_owned(), figure("2026-11-21"))]);
        let earlier = Report { machine: machine(0.5), rows: 10, largest: 90, took_s: 7, figures, ..Report::default() };
        let now = Report { machine: machine(0.1), rows: 10, largest: 80, ..Report::default() };
        let both = now.clone().with(earlier.clone()).unwrap();
        assert_eq!((both.figures.len(), both.largest, both.took_s, both.machine.load_before), (2, 90, 7, 0.5));
        assert!(both.to_markdown().starts_with("Measured from 2026-11-20 to 2026-11-21: "), "{}", both.to_markdown());
        let other = Report { rows: 11, ..now };
        assert!(other.with(earlier).unwrap_err().to_string().contains("figures of 10 rows"));
    }

    #[test]
    fn no_figure_has_two_aims() {
        let mut names: Vec<_> = AIMS.iter().map(|aim| aim.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), AIMS.len());
    }
}
