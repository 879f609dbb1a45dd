//! Prometheus as the source of measures, for the gate and for whoever throttles a backfill. An empty answer is a missing fact and never zero; so are NaN, several series, an
//! answer of another type, and one that is too long to be an answer.
//!
//! Time is Prometheus' own: what a number was before is asked from the moment of its answer about now, so that no clock is
//! compared with another.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test should panic"
    )
)]

mod servers;
pub mod tls;

use std::{error::Error, path::PathBuf, time::Duration};

use prometheus_http_query::response::{Data, PromqlResult};
use reqwest::{
    Response, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use schema_phases::Because;
use serde::Deserialize;

use crate::servers::{Reached, Servers};

/// The answer to a range query of one series is below 10 KB.
const LONGEST_ANSWER: usize = 256 * 1024;
/// How many points a time is looked at.
const POINTS: u64 = 30;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The number now.
    pub now: f64,
    /// The numbers before it, oldest first; NaN where there was none.
    pub before: Vec<f64>,
}

/// Asks the Prometheus servers that a file names. The file and what it points to are read anew for each question, so that
/// a rotated token or certificate is used at once, and nothing is read before it is needed.
pub struct Prometheus {
    servers: Option<Servers>,
    patience: Duration,
}

impl Prometheus {
    /// Asks the servers in this file; without one, every measure is a missing fact.
    pub fn new(file: Option<PathBuf>, patience: Duration) -> Self {
        Self { servers: file.map(Servers::in_file), patience }
    }

    /// One number now, and what it was for as long as `back` says. Which server: one of the file's, by default the first.
    ///
    /// # Errors
    /// Why it cannot be told; no answer, NaN and more than one number count. The texts go to users and hold no secret.
    pub async fn measure(&self, server: Option<&str>, query: &str, back: Duration) -> Result<Measured, Because> {
        let servers = self.servers.as_ref().ok_or_else(|| {
            Because::NotThere("no Prometheus server is known; start it with --prometheus FILE".to_owned())
        })?;
        let Reached { client, authorization, name } = servers.reach(server, self.patience)?;
        let milliseconds = i64::try_from(self.patience.as_millis()).unwrap_or(i64::MAX);
        let ask = client.query(query).timeout(milliseconds);
        let ask = match &authorization {
            Some(value) => ask.header(AUTHORIZATION, value.clone()),
            None => ask,
        };
        let (at, now) = one_number(&name, result(&name, ask.post_raw().await).await?)?;
        if back.is_zero() {
            return Ok(Measured { now, before: Vec::new() });
        }
        let range = Range::until(at, back);
        let ask = client.query_range(query, range.start, range.end, range.step_seconds()).timeout(milliseconds);
        let ask = match authorization {
            Some(value) => ask.header(AUTHORIZATION, value),
            None => ask,
        };
        let before = range.points(&name, result(&name, ask.post_raw().await).await?)?;
        Ok(Measured { now, before })
    }
}

/// What Prometheus wraps every answer in.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Envelope {
    Success { data: PromqlResult },
    Error { error: String },
}

async fn result(name: &str, sent: Result<Response, prometheus_http_query::Error>) -> Result<Data, Because> {
    let unreachable = |error: &dyn Error| Because::Unreachable(format!("Prometheus server {name}: {}", chain(error)));
    let untrusted = |what: &str| Because::Untrusted(format!("Prometheus server {name}: {what}"));
    let mut response = sent.map_err(|error| unreachable(&error))?;
    let status = response.status();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(Because::NotPermitted(format!(
                "Prometheus server {name} answers {}; correct its credentials in the file of --prometheus",
                status.as_u16()
            )));
        }
        // These come with an explanation.
        StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {}
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Because::Unreachable(format!("Prometheus server {name} answers {}", status.as_u16())));
        }
        _ => return Err(untrusted(&format!("it answers {}; correct its url", status.as_u16()))),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len().saturating_add(chunk.len()) > LONGEST_ANSWER {
            return Err(untrusted("its answer is too long; write a query with one number as its answer"));
        }
        body.extend_from_slice(&chunk);
    }
    match serde_json::from_slice(&body) {
        Ok(Envelope::Success { data }) => Ok(data.into_inner().0),
        Ok(Envelope::Error { error }) => {
            let error: String = error.chars().filter(|c| !c.is_control()).take(200).collect();
            Err(untrusted(&format!("it does not take the query: {error}")))
        }
        Err(_) => Err(untrusted("its answer is none of Prometheus'; correct its url")),
    }
}

/// The one number of an answer, and the moment it is of, by the server's clock.
fn one_number(name: &str, data: Data) -> Result<(f64, f64), Because> {
    let untrusted = |what: String| Because::Untrusted(format!("Prometheus server {name}: {what}"));
    let sample = match data {
        Data::Scalar(sample) => sample,
        Data::Vector(vector) => match <[_; 1]>::try_from(vector) {
            Ok([only]) => only.into_inner().1,
            Err(none) if none.is_empty() => {
                return Err(Because::NotThere(format!(
                    "Prometheus server {name} has no value for the query; nothing was measured, or the query is wrong"
                )));
            }
            Err(several) => {
                let count = several.len();
                return Err(untrusted(format!("the query answers {count} series and must answer one; use sum or max")));
            }
        },
        Data::Matrix(_) => return Err(untrusted("the query answers a range and must answer one number".to_owned())),
    };
    if sample.value().is_nan() {
        return Err(untrusted("the query answers NaN; a rate of nothing by nothing is no measure".to_owned()));
    }
    Ok((sample.timestamp(), sample.value()))
}

/// Evenly spaced moments, in seconds of the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: i64,
    end: i64,
    step: i64,
}

impl Range {
    #[expect(clippy::cast_possible_truncation, reason = "a moment of this age of the world; others saturate")]
    fn until(at: f64, back: Duration) -> Self {
        let end = at.floor() as i64;
        let seconds = i64::try_from(back.as_secs()).unwrap_or(i64::MAX);
        let step = i64::try_from(back.as_secs().div_ceil(POINTS).max(1)).unwrap_or(i64::MAX);
        // Whole steps, and all of the time asked for.
        let steps = seconds.saturating_add(step - 1) / step;
        Self { start: end.saturating_sub(steps.saturating_mul(step)), end, step }
    }

    #[expect(clippy::cast_precision_loss, reason = "at most an hour")]
    const fn step_seconds(self) -> f64 {
        self.step as f64
    }

    /// A number for each moment, oldest first; NaN where there is none.
    fn points(self, name: &str, data: Data) -> Result<Vec<f64>, Because> {
        let untrusted = |what: String| Because::Untrusted(format!("Prometheus server {name}: {what}"));
        let Data::Matrix(mut series) = data else {
            return Err(untrusted("it answers a range query with no range".to_owned()));
        };
        if series.len() > 1 {
            let count = series.len();
            return Err(untrusted(format!("the query answered {count} series in turn; use sum or max")));
        }
        let samples = series.pop().map(|series| series.into_inner().1).unwrap_or_default();
        let moments = (0..).map(|at| self.start.saturating_add(self.step * at)).take_while(|at| *at <= self.end);
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        let value = |moment: i64| samples.iter().find(|sample| (sample.timestamp() - moment as f64).abs() < 0.001);
        Ok(moments.map(|moment| value(moment).map_or(f64::NAN, |sample| sample.value())).collect())
    }
}

/// An error and its causes in one line, cut to what a message can carry.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let text = causes.map(ToString::to_string).fold(error.to_string(), |text, cause| {
        // The client likes to repeat its cause in its own text.
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    });
    text.chars().take(300).collect()
}

/// A header that is shown nowhere.
fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests;
