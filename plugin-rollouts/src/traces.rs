//! Traces for OpenTelemetry: a span for each question and one for each look it takes, handed to whoever sends them.
//! Nothing here waits: when spans come faster than they are sent, the newest are dropped and counted.

mod otlp;
mod send;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tracing::{
    Event, Level, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

pub use send::{BadCollector, Collector};

use crate::telemetry::Fields;

/// Spans that wait to be sent: some seconds of a busy gate, a few hundred KiB.
const WAITING: usize = 1024;
/// Of one span.
const MOST_EVENTS: usize = 16;

/// A span that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ended {
    trace: u128,
    id: u64,
    parent: Option<u64>,
    name: &'static str,
    began: SystemTime,
    ended: SystemTime,
    attributes: Map<String, Value>,
    events: Vec<Happened>,
}

/// An event within a span.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Happened {
    at: SystemTime,
    attributes: Map<String, Value>,
}

/// Spans on their way to a collector.
pub(crate) struct Spans {
    ended: mpsc::Receiver<Ended>,
    dropped: Arc<AtomicU64>,
}

/// Gathers the spans of this crate.
pub(crate) struct Gathering {
    sender: mpsc::Sender<Ended>,
    dropped: Arc<AtomicU64>,
    clock: fn() -> SystemTime,
}

/// A layer that gathers, and what it gathers.
pub(crate) fn gather<S>(clock: fn() -> SystemTime) -> (impl Layer<S>, Spans)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let (sender, ended) = mpsc::channel(WAITING);
    let dropped = Arc::<AtomicU64>::default();
    let gathering = Gathering { sender, dropped: Arc::clone(&dropped), clock };
    // Ours alone: what a library thinks worth a span may hold what is secret.
    (gathering.with_filter(Targets::new().with_target("plugin_rollouts", Level::DEBUG)), Spans { ended, dropped })
}

/// What is known of a span while it lasts.
struct Open(Ended);

impl<S> Layer<S> for Gathering
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let above = span.parent().and_then(|parent| ids(&parent));
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let now = (self.clock)();
        let open = Ended {
            trace: above.map_or_else(|| fastrand::u128(1..), |(trace, _)| trace),
            id: fastrand::u64(1..),
            parent: above.map(|(_, id)| id),
            name: span.name(),
            began: now,
            ended: now,
            attributes: fields.into_map(),
            events: Vec::new(),
        };
        span.extensions_mut().insert(Open(open));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(Open(open)) = span.extensions_mut().get_mut::<Open>() {
            open.attributes.extend(fields.into_map());
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Some(Open(open)) = span.extensions_mut().get_mut::<Open>()
            && open.events.len() < MOST_EVENTS
        {
            open.events.push(Happened { at: (self.clock)(), attributes: fields.into_map() });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(Open(mut ended)) = span.extensions_mut().remove::<Open>() else { return };
        ended.ended = (self.clock)();
        if self.sender.try_send(ended).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn ids<S: for<'a> LookupSpan<'a>>(span: &SpanRef<'_, S>) -> Option<(u128, u64)> {
    span.extensions().get::<Open>().map(|Open(open)| (open.trace, open.id))
}

#[cfg(test)]
mod tests;
