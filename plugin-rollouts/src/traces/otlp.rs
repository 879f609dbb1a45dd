//! OTLP/HTTP in JSON, version 1: numbers of 64 bits are strings, and ids are hexadecimal (opentelemetry-proto 1.x,
//! "JSON Protobuf Encoding"). Pure.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::{Ended, Happened};

/// `SPAN_KIND_SERVER` and `SPAN_KIND_INTERNAL`.
const SERVER: u8 = 2;
const INTERNAL: u8 = 1;

/// The body of one export.
pub(super) fn export(spans: &[Ended]) -> Value {
    let resource = [("service.name", "phasegate-rollouts"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let resource: Map<String, Value> =
        resource.map(|(name, value)| (name.to_owned(), Value::from(value))).into_iter().collect();
    let spans: Vec<Value> = spans.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&resource)},
        "scopeSpans": [{"scope": {"name": "phasegate"}, "spans": spans}],
    }]})
}

fn span(ended: &Ended) -> Value {
    let Ended { trace, id, parent, name, began, ended, attributes: fields, events } = ended;
    let mut span = json!({
        "traceId": format!("{trace:032x}"),
        "spanId": format!("{id:016x}"),
        "name": name,
        "kind": if parent.is_none() { SERVER } else { INTERNAL },
        "startTimeUnixNano": nanoseconds(*began),
        "endTimeUnixNano": nanoseconds(*ended),
        "attributes": attributes(fields),
        "events": events.iter().map(event).collect::<Vec<_>>(),
    });
    if let (Some(parent), Some(span)) = (parent, span.as_object_mut()) {
        span.insert("parentSpanId".to_owned(), format!("{parent:016x}").into());
    }
    span
}

fn event(Happened { at, attributes: fields }: &Happened) -> Value {
    let mut fields = fields.clone();
    let name = match fields.remove("message") {
        Some(Value::String(message)) => message,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    json!({"timeUnixNano": nanoseconds(*at), "name": name, "attributes": attributes(&fields)})
}

fn attributes(fields: &Map<String, Value>) -> Vec<Value> {
    let value = |value: &Value| match value {
        Value::Bool(yes) => json!({"boolValue": yes}),
        Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::String(text) => json!({"stringValue": text}),
        other @ (Value::Null | Value::Array(_) | Value::Object(_)) => json!({"stringValue": other.to_string()}),
    };
    fields.iter().map(|(name, found)| json!({"key": name, "value": value(found)})).collect()
}

fn nanoseconds(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}
