//! Medians, and how they are told.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::json;

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    all: BTreeMap<String, (f64, &'static str, Vec<f64>)>,
}

impl Figures {
    /// The median of these measurements.
    pub(crate) fn median(&mut self, name: impl Into<String>, mut measured: Vec<f64>, unit: &'static str) {
        let name = name.into();
        let value = median(&measured);
        eprintln!("{name}: {value:.3} {unit} of {measured:.3?}");
        measured.sort_by(f64::total_cmp);
        self.all.insert(name, (value, unit, measured));
    }

    /// Raises a figure that is the largest of several.
    pub(crate) fn at_least(&mut self, name: &str, value: f64, unit: &'static str) {
        let known = self.all.entry(name.to_owned()).or_insert((value, unit, Vec::new()));
        known.0 = known.0.max(value);
    }

    /// Writes them down and prints them.
    pub(crate) fn end(&self, path: &Path) -> Result<()> {
        let all: BTreeMap<&String, _> = self
            .all
            .iter()
            .map(|(name, (value, unit, measured))| (name, json!({"value": value, "unit": unit, "measured": measured})))
            .collect();
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, serde_json::to_string_pretty(&all)? + "\n").with_context(|| path.display().to_string())?;
        for (name, (value, unit, _)) in &self.all {
            println!("figure {name} {value:.3} {unit}");
        }
        Ok(())
    }
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
