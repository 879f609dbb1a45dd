use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(1_709_164_799_000_000_001)
}

fn gathered(log: impl FnOnce()) -> (Vec<Ended>, u64) {
    let (layer, mut spans) = gather(clock);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
    let ended = std::iter::from_fn(|| spans.ended.try_recv().ok()).collect();
    (ended, spans.dropped.load(Ordering::Relaxed))
}

#[test]
fn a_question_and_its_looks_are_one_trace() {
    let (spans, dropped) = gathered(|| {
        let run =
            tracing::debug_span!(target: "plugin_rollouts", "run", rollout = "shop", verdict = tracing::field::Empty);
        let inside = run.enter();
        drop(tracing::debug_span!(target: "plugin_rollouts", "ledger", database = "customers", of = 7));
        tracing::info!(target: "plugin_rollouts", verdict = "wait", "decided");
        run.record("verdict", "wait");
        drop(inside);
        // Of a library, and of nobody's question.
        drop(tracing::info_span!(target: "sqlx", "query", sql = "SELECT 1"));
        tracing::info!(target: "plugin_rollouts", "serving");
    });
    let [ledger, run] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((ledger.trace, ledger.parent, run.parent, dropped), (run.trace, Some(run.id), None, 0));
    let mut fixed = spans.clone();
    for (span, id) in fixed.iter_mut().zip([0xb, 0xa]) {
        (span.trace, span.id, span.parent) = (0x7f, id, span.parent.map(|_| 0xa));
    }
    let attribute = |key: &str, value: Value| json!({"key": key, "value": value});
    let text = |key: &str, value: &str| attribute(key, json!({"stringValue": value}));
    let at = "1709164799000000001";
    assert_eq!(
        otlp::export(&fixed),
        json!({"resourceSpans": [{
            "resource": {"attributes": [
                text("service.name", "phasegate-rollouts"), text("service.version", env!("CARGO_PKG_VERSION"))]},
            "scopeSpans": [{"scope": {"name": "phasegate"}, "spans": [
                {"traceId": "0000000000000000000000000000007f", "spanId": "000000000000000b", "name": "ledger",
                    "parentSpanId": "000000000000000a", "kind": 1, "startTimeUnixNano": at, "endTimeUnixNano": at,
                    "attributes": [text("database", "customers"), attribute("of", json!({"intValue": "7"}))], "events": []},
                {"traceId": "0000000000000000000000000000007f", "spanId": "000000000000000a", "name": "run", "kind": 2,
                    "startTimeUnixNano": at, "endTimeUnixNano": at,
                    "attributes": [text("rollout", "shop"), text("verdict", "wait")],
                    "events": [{"timeUnixNano": at, "name": "decided", "attributes": [text("verdict", "wait")]}]},
            ]}],
        }]})
    );
}

#[test]
fn what_nobody_takes_is_dropped_and_counted() {
    let (spans, dropped) = gathered(|| {
        for _ in 0..WAITING + 7 {
            drop(tracing::debug_span!(target: "plugin_rollouts", "run"));
        }
    });
    assert_eq!((spans.len(), dropped), (WAITING, 7));
    let (spans, _) = gathered(|| {
        let run = tracing::debug_span!(target: "plugin_rollouts", "run");
        let _inside = run.enter();
        for _ in 0..100 {
            tracing::info!(target: "plugin_rollouts", "again");
        }
    });
    assert_eq!(spans[0].events.len(), MOST_EVENTS);
}
