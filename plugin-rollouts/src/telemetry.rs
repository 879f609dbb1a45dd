//! Logs on stderr, in the JSON lines that go-plugin's host understands (hclog): it levels them and passes them on.
//!
//! The host asserts, unchecked, that `@level`, `@message` and `@timestamp` are strings, and panics otherwise; and it
//! cuts lines of 64 KiB and more to pieces (go-plugin 1.8.0, log_entry.go). Neither can happen here.

use std::{
    fmt,
    io::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use crate::traces::{Spans, gather};

/// The host's own limit is 64 KiB.
const LONGEST_LINE: usize = 60 * 1024;
const LONGEST_FIELD: usize = 4 * 1024;

/// Writes hclog's JSON lines.
pub(crate) struct HclogLines<W, C> {
    writer: W,
    clock: C,
}

impl<W, C> HclogLines<W, C>
where
    W: Fn(&[u8]),
    C: Fn() -> SystemTime,
{
    /// Lines to `writer`, each whole with its line break, stamped by `clock`.
    pub(crate) const fn new(writer: W, clock: C) -> Self {
        Self { writer, clock }
    }

    fn line(&self, level: Level, target: &str, mut fields: Map<String, Value>) -> Vec<u8> {
        let message = match fields.remove("message") {
            Some(Value::String(message)) => message,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        // Nothing else may begin with an @.
        fields.retain(|name, _| !name.starts_with('@'));
        let head = [
            ("@level", level.as_str().to_lowercase()),
            ("@message", message),
            ("@timestamp", timestamp((self.clock)())),
            ("@module", target.to_owned()),
        ];
        let head: Map<String, Value> =
            head.map(|(name, value)| (name.to_owned(), Value::String(value))).into_iter().collect();
        let mut whole = head.clone();
        whole.extend(fields);
        let mut line = serde_json::to_vec(&whole).unwrap_or_default();
        if line.len() > LONGEST_LINE {
            line = serde_json::to_vec(&head).unwrap_or_default();
        }
        line.push(b'\n');
        line
    }
}

impl<S, W, C> Layer<S> for HclogLines<W, C>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
    C: Fn() -> SystemTime + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(known) = span.extensions().get::<Fields>() {
                for (name, value) in &known.0 {
                    fields.0.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        (self.writer)(&self.line(*metadata.level(), metadata.target(), fields.0));
    }
}

/// The fields of an event or a span.
#[derive(Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// By name.
    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let cut: String = if value.len() > LONGEST_FIELD {
            value.chars().take(LONGEST_FIELD / 4).collect()
        } else {
            value.to_owned()
        };
        self.put(field, cut);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// `2006-01-02T15:04:05.000000Z`, as hclog writes it.
fn timestamp(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", since.subsec_micros())
}

/// Year, month and day of a number of days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", civil_from_days).
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_based = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_based + 2) / 5 + 1;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as u64;
    (year, month, day)
}

/// Sends all events at or above `level` to stderr, and those of other crates when they warn.
pub(crate) fn to_stderr(level: Level, clock: fn() -> SystemTime) {
    // Set once, at the start; a second subscriber would be a test's own.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(stderr(level, clock)));
}

/// The same, and gathers spans.
pub(crate) fn to_stderr_and_traces(level: Level, clock: fn() -> SystemTime) -> Spans {
    let (gathering, spans) = gather(clock);
    let subscriber = tracing_subscriber::registry().with(stderr(level, clock)).with(gathering);
    let _ = tracing::subscriber::set_global_default(subscriber);
    spans
}

fn stderr<S>(level: Level, clock: fn() -> SystemTime) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = HclogLines::new(
        |line: &[u8]| {
            // A host that no longer reads is no reason to stop.
            let _ = std::io::stderr().lock().write_all(line);
        },
        clock,
    );
    let ours = tracing_subscriber::filter::Targets::new()
        .with_default(level.min(Level::WARN))
        .with_target("plugin_rollouts", level)
        .with_target("goplugin_wire", level)
        .with_target("phase_ledger", level);
    lines.with_filter(ours)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn captured(log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let layer = HclogLines::new(
            move |line: &[u8]| sink.lock().unwrap().push(String::from_utf8(line.to_vec()).unwrap()),
            || UNIX_EPOCH + Duration::from_micros(1_709_164_799_000_001),
        );
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        std::mem::take(&mut *lines.lock().unwrap())
    }

    #[test]
    fn a_line_is_what_the_host_reads() {
        let lines = captured(|| {
            let span = tracing::info_span!("run", rollout = "shop", verdict = "span");
            let _inside = span.enter();
            tracing::warn!(verdict = "wait", step = 2, held = true, "decided");
        });
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("}\n"));
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["@level"], "warn");
        assert_eq!(line["@message"], "decided");
        assert_eq!(line["@timestamp"], "2024-02-28T23:59:59.000001Z");
        assert_eq!((&line["rollout"], &line["verdict"]), (&Value::from("shop"), &Value::from("wait")));
        assert_eq!((&line["step"], &line["held"]), (&Value::from(2), &Value::from(true)));
    }

    #[test]
    fn no_line_is_longer_than_the_host_takes_and_the_three_fields_are_always_strings() {
        let huge = "\u{1}".repeat(1 << 20);
        let lines = captured(|| {
            tracing::info!(message = 7);
            tracing::info!(
                a = huge,
                b = huge,
                c = huge,
                d = huge,
                e = huge,
                f = huge,
                g = huge,
                h = huge,
                i = huge,
                j = huge,
                k = huge,
                l = huge,
                "all"
            );
            tracing::info!(a = ?"\n", "{huge}");
        });
        assert_eq!(lines.len(), 3);
        for line in lines {
            assert!(line.len() < 64 * 1024, "{}", line.len());
            assert_eq!(line.matches('\n').count(), 1);
            let line: Value = serde_json::from_str(&line).unwrap();
            for name in ["@level", "@message", "@timestamp"] {
                assert!(line[name].is_string(), "{name} of {line}");
            }
        }
    }

    #[test]
    fn days_become_dates() {
        let rows = [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (19_782, "2024-02-29"),
            (47_541, "2100-03-01"),
        ];
        for (days, want) in rows {
            let told = timestamp(UNIX_EPOCH + Duration::from_secs(days * 86_400));
            assert_eq!(told, format!("{want}T00:00:00.000000Z"));
        }
    }
}
