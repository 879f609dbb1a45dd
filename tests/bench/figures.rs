//! Medians, where they are kept, and how they are told.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Instant};

use ::tests::benchmark::{AIMS, Figure, Machine, Report};
use anyhow::{Context, Result};

use crate::Options;

/// All figures of a run.
#[derive(Debug)]
pub(crate) struct Figures {
    report: Report,
    /// How long the runs before this one took.
    earlier_s: u64,
    began: Instant,
}

impl Figures {
    /// Those of earlier runs if they are wanted, on this machine as it is now.
    pub(crate) fn new(options: &Options, servers: Vec<String>) -> Result<Self> {
        let mut report = Report {
            machine: machine(servers),
            rows: options.rows,
            largest: options.largest,
            pairs: options.pairs,
            ..Report::default()
        };
        if options.add && options.json.exists() {
            let context = || options.json.display().to_string();
            let text = fs::read_to_string(&options.json).with_context(context)?;
            let earlier: Report = serde_json::from_str(&text).with_context(context)?;
            report = report.with(earlier).with_context(context)?;
        }
        Ok(Self { earlier_s: report.took_s, report, began: Instant::now() })
    }

    /// The median of these measurements.
    pub(crate) fn median(&mut self, name: impl Into<String>, mut measured: Vec<f64>, unit: &str) {
        let name = name.into();
        let value = rounded(median(&measured));
        eprintln!("{name}: {value:.3} {unit} of {measured:.3?}");
        measured.sort_by(f64::total_cmp);
        let measured = measured.into_iter().map(rounded).collect();
        self.report.figures.insert(name, Figure { value, unit: unit.to_owned(), measured, at: now() });
    }

    /// Raises a figure that is the largest of several.
    pub(crate) fn at_least(&mut self, name: &str, value: f64, unit: &str) {
        let first = || Figure { value, unit: unit.to_owned(), measured: Vec::new(), at: String::new() };
        let known = self.report.figures.entry(name.to_owned()).or_insert_with(first);
        known.value = rounded(known.value.max(value));
        known.at = now();
    }

    /// A measurement that could not be made: the others still count.
    pub(crate) fn failed(&mut self, name: &str, why: &anyhow::Error) {
        eprintln!("{name}: could not be measured: {why:#}");
        self.report.failed.insert(name.to_owned(), format!("{why:#}"));
    }

    /// This measurement is made anew: that it could not be made earlier no longer counts.
    pub(crate) fn begin(&mut self, name: &str) {
        self.report.failed.remove(name);
    }

    /// Writes down what there is so far: who ends a long run early keeps that.
    pub(crate) fn write(&mut self, path: &Path) -> Result<()> {
        self.report.took_s = self.earlier_s + self.began.elapsed().as_secs();
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let text = serde_json::to_string_pretty(&self.report)? + "\n";
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// Prints them, those with an aim first. Returns whether all could be measured.
    pub(crate) fn print(&self) -> bool {
        let figures: &BTreeMap<String, Figure> = &self.report.figures;
        let has_aim = |name: &String| AIMS.iter().any(|aim| aim.name == name);
        for (name, Figure { value, unit, .. }) in figures.iter().filter(|(name, _)| !has_aim(name)) {
            println!("figure {name} {value:.3} {unit}");
        }
        for aim in &AIMS {
            let Some(Figure { value, unit, .. }) = figures.get(aim.name) else { continue };
            println!("figure {} {value:.3} {unit}", aim.name);
        }
        for (name, why) in &self.report.failed {
            eprintln!("{name}: could not be measured: {why}");
        }
        let wanting = self.report.wanting();
        eprintln!("{} of {} aims met; not: {}", AIMS.len() - wanting.len(), AIMS.len(), wanting.join(", "));
        self.report.failed.is_empty()
    }
}

fn now() -> String {
    said("date", &["-u", "+%F %H:%M UTC"])
}

/// Four digits after the point are more than anybody can measure.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn machine(servers: Vec<String>) -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kilobytes: u64 = memory.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let load = read("/proc/loadavg");
    Machine {
        processor: field(&read("/proc/cpuinfo"), "model name"),
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        memory_gb: kilobytes.div_ceil(1 << 20),
        kernel: said("uname", &["-r"]),
        load_before: load.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default(),
        servers,
    }
}

/// The one line that a program says.
pub(crate) fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The middle one, or what lies between the two in the middle.
pub(crate) fn median(measured: &[f64]) -> f64 {
    let mut sorted = measured.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (Some(upper), 0) => (sorted[middle - 1] + upper) / 2.0,
        (Some(one), _) => *one,
        (None, _) => f64::NAN,
    }
}

/// The value below which 99 of 100 are.
pub(crate) fn p99(measured: &[f64]) -> f64 {
    let mut sorted = measured.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * 99 / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_tail() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        assert_eq!(p99(&(0..1_000).map(f64::from).collect::<Vec<_>>()), 990.0);
    }
}
