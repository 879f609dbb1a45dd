//! `spec.backfill` of a Database: how fast its rows may be filled, and when not.

use std::{ops::RangeInclusive, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    BackfillSettings, DailyWindow, Engine, PrometheusThrottle, ThrottleMeasure, ThrottleSettings,
    declared::{
        Complaints,
        database::check_secret_name,
        measure::{self, Question},
    },
    sql_text::statements,
};

/// How rows are filled.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct BackfillSpec {
    /// How many connections fill at once, 1 to 16. More than the server has spare cores only hurts.
    #[serde(default)]
    connections: Option<u32>,
    /// How long one batch aims to take, from 1ms to 5s: a writer that meets it waits that long. 35ms if absent, and on
    /// SQLite 2ms.
    #[serde(default)]
    batch: Option<String>,
    /// How long to rest after each batch, as so many times what the batch took, from 0 (not at all) to 10. 0 if absent,
    /// and on SQLite, which has one writer, 3.
    #[serde(default)]
    nice_ratio: Option<f64>,
    /// When to rest. What cannot be seen holds the backfill, too.
    #[serde(default)]
    throttle: ThrottleSpec,
}

/// When a backfill rests.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ThrottleSpec {
    /// Rest while a streaming standby is further behind than this: 10s. PostgreSQL only; elsewhere the primary does not
    /// know it.
    #[serde(default)]
    replication_lag: Option<String>,
    /// Rest while more sessions than this are active at once, the runner's own not counted. Not on SQLite.
    #[serde(default)]
    active_sessions: Option<u32>,
    /// Rest while this query returns a number above 0. It runs once a second and must return one row with one number.
    #[serde(default)]
    query: Option<String>,
    /// Rest unless Prometheus says that these numbers are within their bounds.
    #[serde(default)]
    prometheus: Option<PrometheusSpec>,
    /// Work only at these times of the day.
    #[serde(default)]
    window: Option<WindowSpec>,
}

/// What Prometheus must say for a backfill to work.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PrometheusSpec {
    /// The name of a Secret with `prometheus.yaml`, which names the servers, and with what that points to. The rendered
    /// Job mounts it at /etc/phasegate/prometheus. Elsewhere the file is given by `phasegate run --prometheus FILE`.
    servers: Option<String>,
    /// The numbers; at most 5.
    measures: Vec<MeasureSpec>,
}

/// One number that Prometheus computes, and its bounds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MeasureSpec {
    /// What it is called in messages: 1 to 40 characters of a-z, 0-9 and -.
    name: String,
    /// Which of the servers in the file; by default the first.
    server: Option<String>,
    /// The query, in PromQL, asked once a second. Its answer must be one number: no answer, NaN or several series make
    /// the backfill rest.
    query: String,
    /// Rest while the number is above this.
    at_most: Option<f64>,
    /// Rest while the number is below this.
    at_least: Option<f64>,
}

/// A daily window in UTC. It may go over midnight.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WindowSpec {
    /// When it begins: 22:00.
    from: String,
    /// When it ends: 06:00.
    to: String,
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(5);
/// What a nice ratio may be, in Git and on the command line.
pub const NICE_RATIOS: RangeInclusive<f64> = 0.0..=10.0;
/// Each is asked once a second.
const MOST_MEASURES: usize = 5;

/// Checks it, and complains of what is wrong.
pub(crate) fn checked(complaints: &mut Complaints<'_>, engine: Engine, spec: BackfillSpec) -> BackfillSettings {
    let BackfillSpec { connections, batch, nice_ratio, throttle } = spec;
    let mut settings = BackfillSettings::default();
    if let Some(connections) = connections {
        if !(1..=16).contains(&connections) {
            let message = format!("{connections} connections cannot fill");
            complaints.add(&["spec", "backfill", "connections"], message, "write a number from 1 to 16");
        }
        settings.connections = Some(connections);
    }
    if let Some(batch) = batch {
        settings.batch = duration(complaints, &["spec", "backfill", "batch"], &batch);
        if settings.batch.is_some_and(|batch| !(SHORTEST..=LONGEST).contains(&batch)) {
            let message = format!("a batch cannot aim at {batch}");
            complaints.add(&["spec", "backfill", "batch"], message, "write a time from 1ms to 5s");
        }
    }
    if let Some(ratio) = nice_ratio {
        if !NICE_RATIOS.contains(&ratio) {
            let message = format!("it cannot rest for {ratio} times a batch");
            complaints.add(&["spec", "backfill", "niceRatio"], message, "write a number from 0 to 10");
        }
        settings.nice_ratio = Some(ratio);
    }
    settings.throttle = checked_throttle(complaints, engine, throttle);
    settings
}

fn checked_throttle(complaints: &mut Complaints<'_>, engine: Engine, spec: ThrottleSpec) -> ThrottleSettings {
    let ThrottleSpec { replication_lag, active_sessions, query, prometheus, window } = spec;
    let here = |field| ["spec", "backfill", "throttle", field];
    if replication_lag.is_some() && engine != Engine::Postgres {
        complaints.add(
            &here("replicationLag"),
            format!("on {} the primary does not know how far its replicas are behind", engine.as_str()),
            "use a query of a heartbeat table",
        );
    }
    if active_sessions.is_some() && engine == Engine::Sqlite {
        complaints.add(&here("activeSessions"), "sqlite has no sessions to count", "remove it");
    }
    if let Some(query) = &query
        && statements(engine, query).map_or(0, |all| all.len()) != 1
    {
        complaints.add(&here("query"), "it is not one statement", "write one SELECT that returns one number");
    }
    ThrottleSettings {
        replication_lag: replication_lag.and_then(|text| duration(complaints, &here("replicationLag"), &text)),
        active_sessions,
        query,
        prometheus: prometheus.map(|spec| checked_prometheus(complaints, spec)),
        window: window.and_then(|window| daily(complaints, &window)),
    }
}

fn checked_prometheus(complaints: &mut Complaints<'_>, spec: PrometheusSpec) -> PrometheusThrottle {
    const HERE: [&str; 4] = ["spec", "backfill", "throttle", "prometheus"];
    let PrometheusSpec { servers, measures } = spec;
    if let Some(name) = &servers {
        check_secret_name(complaints, &[&HERE[..], &["servers"]].concat(), name);
    }
    if !(1..=MOST_MEASURES).contains(&measures.len()) {
        let what = format!("{} numbers are asked for", measures.len());
        complaints.add(&[&HERE[..], &["measures"]].concat(), what, "name from 1 to 5");
    }
    let checked = |(at, spec): (usize, MeasureSpec)| {
        let MeasureSpec { name, server, query, at_most, at_least } = spec;
        let place = at.to_string();
        let question = Question { name: &name, server: server.as_deref(), query: &query, at_most, at_least };
        measure::check(&question, |field, message, remedy| {
            complaints.add(&[&HERE[..], &["measures", &place, field]].concat(), message, remedy);
        });
        ThrottleMeasure { name, server, query, at_most, at_least }
    };
    let measures = measures.into_iter().enumerate().map(checked).collect();
    PrometheusThrottle { servers, measures }
}

fn daily(complaints: &mut Complaints<'_>, window: &WindowSpec) -> Option<DailyWindow> {
    let mut read = |field, text: &str| {
        let minute = minute(text);
        if minute.is_none() {
            let path = ["spec", "backfill", "throttle", "window", field];
            complaints.add(&path, "it is no time of the day", "write hours and minutes of UTC: \"22:00\"");
        }
        minute
    };
    let (from, to) = (read("from", &window.from), read("to", &window.to));
    if from.is_some() && from == to {
        let path = ["spec", "backfill", "throttle", "window"];
        complaints.add(&path, "it begins when it ends", "leave it out to work all day");
    }
    Some(DailyWindow { from: from?, to: to? })
}

/// `22:00` as minutes of the day.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |digits: &str| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !two(hours) || !two(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

fn duration(complaints: &mut Complaints<'_>, path: &[&str], text: &str) -> Option<Duration> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let millis = match text.strip_prefix(digits.as_str()).unwrap_or_default() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().zip(millis);
    if number.is_none() {
        complaints.add(path, "it is no length of time", "write a number and a unit: 35ms, 10s, 2m");
    }
    number.map(|(number, millis)| Duration::from_millis(number.saturating_mul(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::read_database;

    fn with(engine: &str, backfill: &str) -> Result<BackfillSettings, String> {
        let text = format!(
            "apiVersion: phasegate.dev/v1alpha1\nkind: Database\nmetadata: {{name: customers}}\nspec:\n  engine: {engine}\n  \
             runner: {{secretRef: {{name: owner, key: url}}}}\n  gate: {{secretRef: {{name: reader, key: url}}}}\n  \
             backfill: {backfill}\n"
        );
        let told = |errors: Vec<crate::FileError>| errors.iter().map(|error| format!("{error}\n")).collect::<String>();
        read_database("phasegate.yaml", &text).map(|database| database.backfill).map_err(told)
    }

    #[test]
    fn everything_that_can_be_said_is_read() {
        let all = "{connections: 2, batch: 50ms, niceRatio: 0.5, throttle: {replicationLag: 10s, activeSessions: 40, \
                   query: SELECT 0, \
                   prometheus: {servers: customers-prometheus, measures: [{name: load, query: 'max(node_load1)', \
                   atMost: 4, server: main}]}, \
                   window: {from: '22:00', to: '06:30'}}}";
        let settings = with("postgres", all).unwrap();
        assert_eq!((settings.connections, settings.batch), (Some(2), Some(Duration::from_millis(50))));
        assert_eq!(settings.nice_ratio, Some(0.5));
        let throttle = settings.throttle;
        assert_eq!((throttle.replication_lag, throttle.active_sessions), (Some(Duration::from_secs(10)), Some(40)));
        assert_eq!(throttle.query.as_deref(), Some("SELECT 0"));
        let load = ThrottleMeasure {
            name: "load".into(),
            server: Some("main".into()),
            query: "max(node_load1)".into(),
            at_most: Some(4.0),
            at_least: None,
        };
        let servers = Some("customers-prometheus".to_owned());
        assert_eq!(throttle.prometheus, Some(PrometheusThrottle { servers, measures: vec![load] }));
        assert_eq!(throttle.window, Some(DailyWindow { from: 1_320, to: 390 }));
        assert_eq!(with("sqlite", "{}").unwrap(), BackfillSettings::default());
    }

    #[test]
    fn each_mistake_is_named_with_its_remedy() {
        let rows = [
            ("postgres", "{connections: 0}", "spec.backfill.connections: 0 connections cannot fill"),
            ("postgres", "{connections: 17}", "from 1 to 16"),
            ("postgres", "{batch: 0ms}", "a batch cannot aim at"),
            ("postgres", "{batch: 6s}", "from 1ms to 5s"),
            ("postgres", "{batch: soon}", "spec.backfill.batch: it is no length of time"),
            ("postgres", "{batch: 35}", "put it in quotes"),
            ("sqlite", "{niceRatio: -0.1}", "it cannot rest for -0.1 times a batch"),
            ("sqlite", "{niceRatio: 10.5}", "from 0 to 10"),
            ("sqlite", "{niceRatio: .nan}", "is not a finite number"),
            ("sqlite", "{niceRatio: .inf}", "is not a finite number"),
            ("postgres", "{throttle: {replicationLag: 1d}}", "replicationLag: it is no length of time"),
            ("mariadb", "{throttle: {replicationLag: 1s}}", "use a query of a heartbeat table"),
            ("sqlite", "{throttle: {activeSessions: 3}}", "sqlite has no sessions"),
            ("postgres", "{throttle: {query: 'SELECT 1; SELECT 2'}}", "it is not one statement"),
            ("postgres", "{throttle: {query: ''}}", "it is not one statement"),
            ("postgres", "{throttle: {window: {from: '24:00', to: '06:00'}}}", "window.from: it is no time of the day"),
            ("postgres", "{throttle: {window: {from: '22:00', to: '6:00'}}}", "window.to: it is no time of the day"),
            ("postgres", "{throttle: {window: {from: '06:00', to: '06:00'}}}", "it begins when it ends"),
            ("sqlite", "{throttle: {prometheus: {measures: []}}}", "prometheus.measures: 0 numbers are asked for"),
            (
                "sqlite",
                "{throttle: {prometheus: {servers: A_b, measures: [{name: a, query: b, atMost: 1}]}}}",
                "throttle.prometheus.servers: `A_b`",
            ),
            (
                "sqlite",
                "{throttle: {prometheus: {measures: [{name: a, query: b}]}}}",
                "throttle.prometheus.measures.0.atMost: neither a bound above",
            ),
            ("postgres", "{throttel: {}}", "did you mean throttle?"),
        ];
        for (engine, backfill, want) in rows {
            let told = with(engine, backfill).unwrap_err();
            assert!(told.contains(want), "{backfill}: {told}");
        }
    }
}
