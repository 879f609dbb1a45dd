//! The plugin's end of a go-plugin session, bytes to bytes: which stream is control, stdout, stderr or a dispensed
//! plugin, and what the control stream is asked. The host opens control, stdout and stderr back to back, in this order;
//! every later stream starts with the four bytes of a number that `Dispense` gave out, and is acknowledged with the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::gob::encode::TypeIds;
use crate::gob::interest::Interest;
use crate::gob::schema::Schema;
use crate::gob::value::Value;
use crate::limits::Limits;
use crate::netrpc::{Answerer, Request, RequestHeader, RpcError};
use crate::yamux::{Event, Role, StreamId, Yamux, YamuxError};

/// How long a dispensed number waits for its stream, and a stream for its number; go-plugin's host gives up as soon.
const DIAL_WITHIN: Duration = Duration::from_secs(5);

/// Go numbers its own types up to 63, and a Go plugin has met net/rpc's Request (64) before it sends anything.
const FIRST_TYPE: i64 = 65;

/// The name under which go-plugin serves every dispensed plugin.
const DISPENSED_OBJECT: &str = "Plugin";

/// What there is to dispense and to call.
pub trait Catalogue {
    /// Whether there is such a plugin.
    fn has_plugin(&self, plugin: &str) -> bool;
    /// Whether that plugin has such a method.
    fn has_method(&self, plugin: &str, method: &str) -> bool;
    /// How much of the argument of that method is wanted.
    fn interest(&self, _plugin: &str, _method: &str) -> &'static Interest {
        &Interest::Whole
    }
}

/// One call from the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The name that was dispensed.
    pub plugin: String,
    /// The method, without its object: `Area`.
    pub method: String,
    /// The argument as decoded; often a [`Value::Interface`], through which its accessors look.
    pub argument: Value,
}

/// The answer to a call: a value and the Go type it is sent as.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The type.
    pub schema: Schema,
    /// The value, which must fit the type.
    pub value: Value,
}

impl Reply {
    /// A reply of the given type. Cloning a schema is cheap: make it once.
    pub fn new(schema: &Schema, value: impl Into<Value>) -> Self {
        Self { schema: schema.clone(), value: value.into() }
    }
}

/// By which a call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// Why serving ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The host called `Control.Quit` and was answered.
    Quit,
    /// The host closed the only connection.
    Disconnected,
}

/// Why a session cannot go on.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The bytes are not the yamux they should be, or the peer is gone.
    #[error("the session with the host cannot go on")]
    Yamux(#[from] YamuxError),
    /// Without its control stream a session cannot be ended or asked whether it lives.
    #[error("the control stream of the session cannot go on")]
    Control(#[source] RpcError),
}

/// The plugin's end of a session.
#[derive(Debug)]
pub struct Session<C> {
    catalogue: C,
    limits: Limits,
    yamux: Yamux,
    ids: TypeIds,
    opened: u32,
    streams: BTreeMap<StreamId, Stream>,
    last_number: u32,
    /// Numbers given out by Dispense and not dialled yet.
    dispensed: BTreeMap<u32, (Arc<str>, Duration)>,
    last_call: u64,
    calls: BTreeMap<CallId, Running>,
    in_flight_bytes: usize,
    incoming: VecDeque<(CallId, Call)>,
    ended: Option<Ended>,
    now: Duration,
}

#[derive(Debug)]
enum Stream {
    /// stdout and stderr: kept open, never written to, never read.
    Silent,
    /// Has not sent its whole number yet.
    Opening {
        number: Vec<u8>,
        until: Duration,
    },
    Rpc(Box<Rpc>),
}

#[derive(Debug)]
struct Rpc {
    answerer: Answerer,
    object: Object,
    running: usize,
    finished: bool,
}

/// What is served on a stream.
#[derive(Clone, Debug)]
enum Object {
    Control,
    Plugin(Arc<str>),
}

/// A call that is not answered yet.
#[derive(Debug)]
struct Running {
    stream: StreamId,
    header: RequestHeader,
    cost: usize,
}

impl<C: Catalogue> Session<C> {
    /// A session at its start, at time zero.
    pub fn new(catalogue: C, limits: Limits) -> Self {
        Self {
            catalogue,
            limits,
            yamux: Yamux::new(Role::Server, limits.max_streams),
            ids: TypeIds::starting_at(FIRST_TYPE),
            opened: 0,
            streams: BTreeMap::new(),
            last_number: 0,
            dispensed: BTreeMap::new(),
            last_call: 0,
            calls: BTreeMap::new(),
            in_flight_bytes: 0,
            incoming: VecDeque::new(),
            ended: None,
            now: Duration::ZERO,
        }
    }

    /// Takes bytes from the host, cut anywhere.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<(), SessionError> {
        self.now = self.now.max(now);
        let received = self.yamux.receive(bytes);
        while let Some(event) = self.yamux.next_event() {
            self.handle(event)?;
        }
        Ok(received?)
    }

    /// The next call to be made; answer it with [`Session::reply`], in any order.
    pub fn next_call(&mut self) -> Option<(CallId, Call)> {
        self.incoming.pop_front()
    }

    /// Answers a call. If its stream is gone meanwhile, nobody wants to know.
    pub fn reply(&mut self, id: CallId, result: &Result<Reply, String>) -> Result<(), SessionError> {
        if let Some(call) = self.calls.remove(&id) {
            self.in_flight_bytes = self.in_flight_bytes.saturating_sub(call.cost);
            if let Some(Stream::Rpc(rpc)) = self.streams.get_mut(&call.stream) {
                rpc.running = rpc.running.saturating_sub(1);
            }
            let result = match result {
                Ok(reply) => Ok((&reply.schema, &reply.value)),
                Err(error) => Err(error.as_str()),
            };
            self.respond(call.stream, &call.header, result);
        }
        self.pump_all()
    }

    /// Bytes to be sent next, about `enough` of them; empty when there is nothing to send.
    pub fn take_output(&mut self, enough: usize) -> Result<Vec<u8>, SessionError> {
        let out = self.yamux.take_output(enough);
        // A reply that left may have made room for the next call.
        if !out.is_empty() {
            self.pump_all()?;
        }
        Ok(out)
    }

    /// Whether [`Session::take_output`] would have anything.
    pub fn has_output(&self) -> bool {
        self.yamux.has_output()
    }

    /// Small frames that wait to be sent; with many, the host should not be read from.
    pub fn backlog(&self) -> usize {
        self.yamux.backlog()
    }

    /// When [`Session::tick`] wants to be called next.
    pub fn deadline(&self) -> Duration {
        let dispensed = self.dispensed.values().map(|(_, until)| *until);
        let opening = self.streams.values().filter_map(|stream| match stream {
            Stream::Opening { until, .. } => Some(*until),
            Stream::Silent | Stream::Rpc(_) => None,
        });
        dispensed.chain(opening).fold(self.yamux.deadline(), Duration::min)
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Duration) -> Result<(), SessionError> {
        self.now = self.now.max(now);
        let now = self.now;
        self.dispensed.retain(|_, (_, until)| *until > now);
        let late = |stream: &Stream| matches!(stream, Stream::Opening { until, .. } if *until <= now);
        let late: Vec<StreamId> = self.streams.iter().filter(|(_, stream)| late(stream)).map(|(id, _)| *id).collect();
        for id in late {
            tracing::warn!("a stream did not say in time what it is for, and is reset");
            self.reset(id);
        }
        Ok(self.yamux.tick(now)?)
    }

    /// Whether the host is done with this plugin, and how it said so.
    pub const fn ended(&self) -> Option<Ended> {
        self.ended
    }

    fn handle(&mut self, event: Event) -> Result<(), SessionError> {
        match event {
            Event::Opened(id) => {
                self.opened = self.opened.saturating_add(1);
                let stream = match self.opened {
                    1 => Stream::Rpc(Box::new(Rpc::new(Object::Control, self.limits))),
                    2 | 3 => Stream::Silent,
                    _ => Stream::Opening { number: Vec::new(), until: self.now + DIAL_WITHIN },
                };
                self.streams.insert(id, stream);
                Ok(())
            }
            Event::Readable(id) => self.pump(id),
            Event::Finished(id) => {
                if let Some(Stream::Rpc(rpc)) = self.streams.get_mut(&id) {
                    rpc.finished = true;
                    return self.pump(id);
                }
                self.streams.remove(&id);
                self.yamux.finish(id);
                Ok(())
            }
            Event::Reset(id) => {
                if matches!(self.streams.remove(&id), Some(Stream::Rpc(rpc)) if rpc.is_control()) {
                    self.end(Ended::Disconnected);
                }
                Ok(())
            }
            // The host opens nothing more, which it hardly ever does anyhow.
            Event::GoAway => Ok(()),
        }
    }

    fn pump_all(&mut self) -> Result<(), SessionError> {
        let streams: Vec<StreamId> = self.streams.keys().copied().collect();
        streams.into_iter().try_for_each(|id| self.pump(id))
    }

    /// Reads what arrived on a stream, as far as there is room for it. What is not read keeps the host from sending.
    fn pump(&mut self, id: StreamId) -> Result<(), SessionError> {
        match self.streams.get_mut(&id) {
            None => Ok(()),
            Some(Stream::Silent) => {
                self.yamux.read(id);
                Ok(())
            }
            Some(Stream::Opening { number, .. }) => {
                let missing = 4_usize.saturating_sub(number.len());
                let bytes = self.yamux.read(id);
                let (part, rest) = bytes.split_at(missing.min(bytes.len()));
                number.extend_from_slice(part);
                let Ok(number) = <[u8; 4]>::try_from(number.as_slice()) else { return Ok(()) };
                self.connect(id, number, rest);
                self.pump(id)
            }
            Some(Stream::Rpc(_)) => self.pump_rpc(id),
        }
    }

    /// A stream has said its number: from now on it is the plugin that was dispensed under it.
    fn connect(&mut self, id: StreamId, number: [u8; 4], first: &[u8]) {
        let Some((plugin, _)) = self.dispensed.remove(&u32::from_le_bytes(number)) else {
            tracing::warn!("a stream asks for a plugin that was not dispensed, and is reset");
            self.reset(id);
            return;
        };
        self.yamux.send(id, &number);
        let mut rpc = Rpc::new(Object::Plugin(plugin), self.limits);
        rpc.answerer.feed(first);
        self.streams.insert(id, Stream::Rpc(Box::new(rpc)));
    }

    fn pump_rpc(&mut self, id: StreamId) -> Result<(), SessionError> {
        loop {
            let unsent = self.yamux.unsent(id);
            let room =
                self.calls.len() < self.limits.max_calls && self.in_flight_bytes < self.limits.max_in_flight_bytes;
            let Some(Stream::Rpc(rpc)) = self.streams.get_mut(&id) else { return Ok(()) };
            // Control has work of its own only: it must answer when everything else is full.
            if unsent >= self.limits.max_unsent || !(room || rpc.is_control()) {
                return Ok(());
            }
            let (catalogue, object) = (&self.catalogue, &rpc.object);
            match rpc.answerer.next_request(|method| interest(catalogue, object, method)) {
                Ok(Some(request)) => self.asked(id, request),
                Ok(None) => {
                    let bytes = self.yamux.read(id);
                    if bytes.is_empty() {
                        break;
                    }
                    rpc.answerer.feed(&bytes);
                }
                Err(error) if rpc.is_control() => return Err(SessionError::Control(error)),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "a plugin's stream cannot go on and is reset");
                    self.reset(id);
                    return Ok(());
                }
            }
        }
        self.finish_if_done(id);
        Ok(())
    }

    fn asked(&mut self, id: StreamId, request: Request) {
        let Some(Stream::Rpc(rpc)) = self.streams.get_mut(&id) else { return };
        let object = rpc.object.clone();
        let Request { header, argument, cost } = request;
        let found = find(&self.catalogue, &object, &header.service_method);
        let outcome = found.and_then(|found| match argument {
            Ok(argument) => Ok((found, argument)),
            Err(error) => Err(format!("rpc: cannot decode the argument of {}: {error}", header.service_method)),
        });
        match outcome {
            Err(error) => self.respond(id, &header, Err(&error)),
            Ok((Found::Ping, _)) => self.respond(id, &header, Ok((&Schema::empty_struct(), &Value::record("", [])))),
            Ok((Found::Quit, _)) => {
                self.respond(id, &header, Ok((&Schema::empty_struct(), &Value::record("", []))));
                self.end(Ended::Quit);
            }
            Ok((Found::Dispense, plugin)) => match self.dispense(plugin.as_str().unwrap_or_default()) {
                Ok(number) => self.respond(id, &header, Ok((&Schema::Uint, &number.into()))),
                Err(error) => self.respond(id, &header, Err(&error)),
            },
            Ok((Found::Method { plugin, method }, argument)) => {
                rpc.running += 1;
                self.last_call += 1;
                self.in_flight_bytes += cost;
                let call = CallId(self.last_call);
                self.calls.insert(call, Running { stream: id, header, cost });
                self.incoming.push_back((call, Call { plugin: plugin.to_string(), method, argument }));
            }
        }
    }

    fn dispense(&mut self, plugin: &str) -> Result<u32, String> {
        if !self.catalogue.has_plugin(plugin) {
            return Err(format!("unknown plugin type: {plugin}")); // go-plugin's own words
        }
        let connected = self.streams.values().filter(|stream| matches!(stream, Stream::Rpc(_))).count();
        if connected + self.dispensed.len() >= self.limits.max_connections {
            return Err(format!("cannot dispense {plugin}: too many plugins are dispensed already"));
        }
        self.last_number = self.last_number.wrapping_add(1);
        self.dispensed.insert(self.last_number, (plugin.into(), self.now + DIAL_WITHIN));
        Ok(self.last_number)
    }

    fn respond(&mut self, id: StreamId, to: &RequestHeader, result: Result<(&Schema, &Value), &str>) {
        if let Some(Stream::Rpc(rpc)) = self.streams.get_mut(&id) {
            let bytes = rpc.answerer.respond(&mut self.ids, to, result);
            self.yamux.send(id, &bytes);
        }
    }

    /// Ends our half of a stream when the host ended its own and every call is answered.
    fn finish_if_done(&mut self, id: StreamId) {
        let Some(Stream::Rpc(rpc)) = self.streams.get(&id) else { return };
        if !rpc.finished || rpc.running != 0 {
            return;
        }
        if let Err(error) = rpc.answerer.finish() {
            tracing::warn!(error = %error, "the host ended a stream too early");
        }
        if rpc.is_control() {
            self.end(Ended::Disconnected);
        }
        self.streams.remove(&id);
        self.yamux.finish(id);
    }

    fn reset(&mut self, id: StreamId) {
        self.streams.remove(&id);
        self.yamux.reset(id);
    }

    /// The first reason counts: after Quit the host ends the streams as well.
    fn end(&mut self, how: Ended) {
        self.ended.get_or_insert(how);
    }
}

impl Rpc {
    fn new(object: Object, limits: Limits) -> Self {
        Self { answerer: Answerer::new(limits), object, running: 0, finished: false }
    }

    const fn is_control(&self) -> bool {
        matches!(self.object, Object::Control)
    }
}

/// What a request asks for.
enum Found {
    Ping,
    Quit,
    Dispense,
    Method { plugin: Arc<str>, method: String },
}

/// Looks a method up; an error is worded as Go words it.
fn find(catalogue: &impl Catalogue, object: &Object, service_method: &str) -> Result<Found, String> {
    let Some((service, method)) = service_method.rsplit_once('.') else {
        return Err(format!("rpc: service/method request ill-formed: {service_method}"));
    };
    let no_service = || Err(format!("rpc: can't find service {service_method}"));
    let no_method = || Err(format!("rpc: can't find method {service_method}"));
    match object {
        Object::Control => match (service, method) {
            ("Control", "Ping") => Ok(Found::Ping),
            ("Control", "Quit") => Ok(Found::Quit),
            ("Dispenser", "Dispense") => Ok(Found::Dispense),
            ("Control" | "Dispenser", _) => no_method(),
            _ => no_service(),
        },
        Object::Plugin(plugin) => {
            if service != DISPENSED_OBJECT {
                no_service()
            } else if catalogue.has_method(plugin, method) {
                Ok(Found::Method { plugin: Arc::clone(plugin), method: method.to_owned() })
            } else {
                no_method()
            }
        }
    }
}

/// How much is wanted of the argument of a method.
fn interest(catalogue: &impl Catalogue, object: &Object, service_method: &str) -> &'static Interest {
    match (object, service_method.rsplit_once('.')) {
        (Object::Plugin(plugin), Some((DISPENSED_OBJECT, method))) => catalogue.interest(plugin, method),
        (Object::Plugin(_) | Object::Control, _) => &Interest::Whole,
    }
}

/// An error with its sources, for a log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
