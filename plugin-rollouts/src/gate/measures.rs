//! What a measured number means to whoever bounded it. Pure.

use std::time::Duration;

use schema_changes::Measure;

use crate::{ports::Measured, span_of_time::span_of_time};

/// Where a measure stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// Within its bounds, for as long as it must have been.
    Within,
    /// Within its bounds now, and not for long enough. The text says what is so.
    NotLongEnough(String),
    /// Out of its bounds now. The text says what is so.
    Out(String),
}

/// Where `measured` stands.
pub(super) fn standing(measure: &Measure, measured: &Measured) -> Standing {
    if let Some(out) = beyond(measure, measured.now) {
        return Standing::Out(out);
    }
    if measure.held.is_zero() {
        return Standing::Within;
    }
    let long = span_of_time(measure.held.as_secs());
    if measured.before.is_empty() || measured.before.iter().any(|value| value.is_nan()) {
        return Standing::NotLongEnough(format!("it was not measured for all of the last {long}"));
    }
    match measured.before.iter().rev().find_map(|value| beyond(measure, *value)) {
        Some(out) => Standing::NotLongEnough(format!("within the last {long} {out}")),
        None => Standing::Within,
    }
}

/// What is wrong with a number; also with one that is none.
fn beyond(measure: &Measure, value: f64) -> Option<String> {
    // What is no number is beyond every bound.
    if let Some(most) = measure.at_most.filter(|most| value.is_nan() || value > *most) {
        return Some(format!("it was {}, above {most}", shown(value)));
    }
    let least = measure.at_least.filter(|least| value.is_nan() || value < *least)?;
    Some(format!("it was {}, below {least}", shown(value)))
}

/// Four digits are enough for a person.
fn shown(value: f64) -> String {
    let text = if value.abs() >= 0.001 || value == 0.0 { format!("{value:.4}") } else { format!("{value:e}") };
    match text.split_once('.') {
        Some((_, digits)) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Some(_) | None => text,
    }
}

/// For how long a watch has gone on.
pub(super) fn watched(so_far: Duration, of: Duration) -> String {
    format!("watched for {} of {}", span_of_time(so_far.as_secs()), span_of_time(of.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(at_most: Option<f64>, at_least: Option<f64>, held: u64) -> Measure {
        let (name, query) = ("errors".to_owned(), "q".to_owned());
        Measure { name, server: None, query, at_most, at_least, held: Duration::from_secs(held) }
    }

    #[test]
    fn a_number_is_within_its_bounds_for_as_long_as_it_must_be_or_it_is_not() {
        const NAN: f64 = f64::NAN;
        let within = Standing::Within;
        let short = |text: &str| Standing::NotLongEnough(text.to_owned());
        let out = |text: &str| Standing::Out(text.to_owned());
        type Row<'a> = (Option<f64>, Option<f64>, u64, f64, &'a [f64], Standing);
        let rows: [Row<'_>; 13] = [
            (Some(0.01), None, 0, 0.01, &[], within.clone()),
            (Some(0.01), None, 0, 0.012, &[], out("it was 0.012, above 0.01")),
            (Some(0.01), None, 0, NAN, &[], out("it was NaN, above 0.01")),
            (Some(0.01), None, 0, f64::INFINITY, &[], out("it was inf, above 0.01")),
            (None, Some(10.0), 0, 10.0, &[], within.clone()),
            (None, Some(10.0), 0, 9.5, &[], out("it was 9.5, below 10")),
            (None, Some(10.0), 0, NAN, &[], out("it was NaN, below 10")),
            (Some(2.0), Some(1.0), 0, 0.0, &[], out("it was 0, below 1")),
            (Some(1.0), None, 300, 0.0, &[1.0, 0.5, 0.0], within),
            (Some(1.0), None, 300, 0.0, &[1.5, 0.5, 0.0], short("within the last 5 min it was 1.5, above 1")),
            (Some(1.0), None, 300, 0.0, &[NAN, 0.5, 0.0], short("it was not measured for all of the last 5 min")),
            (Some(1.0), None, 300, 0.0, &[], short("it was not measured for all of the last 5 min")),
            (Some(0.0001), None, 0, 0.000_25, &[], out("it was 2.5e-4, above 0.0001")),
        ];
        for (most, least, held, now, before, want) in rows {
            let found = standing(&measure(most, least, held), &Measured { now, before: before.to_vec() });
            assert_eq!(found, want, "{most:?} {least:?} {now} {before:?}");
        }
    }
}
