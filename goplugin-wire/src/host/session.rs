//! The host's end of a go-plugin session, bytes to bytes: opens the streams that a go-plugin host opens, in its order,
//! and matches answers with questions.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use thiserror::Error;

use crate::gob::encode::{EncodeError, TypeIds};
use crate::gob::schema::Schema;
use crate::gob::value::Value;
use crate::limits::Limits;
use crate::netrpc::{Asker, RpcError};
use crate::session::chain;
use crate::yamux::{Event, Role, StreamId, Yamux, YamuxError};

/// Go's first number for a type.
const FIRST_TYPE: i64 = 64;

/// Why a host's session cannot go on.
#[derive(Debug, Error)]
pub enum HostSessionError {
    /// The bytes are not the yamux they should be, or the peer is gone.
    #[error("the session with the plugin cannot go on")]
    Yamux(#[from] YamuxError),
}

/// Why a call got no result.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CallError {
    /// The plugin answered with an error.
    #[error("{0}")]
    Remote(String),
    /// The argument does not fit its schema.
    #[error(transparent)]
    Argument(#[from] EncodeError),
    /// The stream or the session ended before the answer came. Go calls this `connection is shut down`.
    #[error("the connection to the plugin is shut down: {why}")]
    ShutDown {
        /// What ended it.
        why: String,
    },
}

/// By which an answer is matched with its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(u64);

/// A dispensed plugin's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginId(StreamId);

/// The host's end of a session.
#[derive(Debug)]
pub struct HostSession {
    limits: Limits,
    yamux: Yamux,
    ids: TypeIds,
    control: Option<StreamId>,
    outputs: [Option<StreamId>; 2],
    streams: BTreeMap<StreamId, Stream>,
    last_ask: u64,
    waiting: BTreeMap<(StreamId, u64), AskId>,
    answers: VecDeque<(AskId, Result<Value, CallError>)>,
}

#[derive(Debug)]
struct Stream {
    asker: Asker,
    /// The number that was sent and is to come back, as far as it is missing.
    greeting: Vec<u8>,
    /// Requests made before it came back.
    held: Vec<u8>,
}

impl HostSession {
    /// A session at its start, at time zero: control, stdout and stderr are being opened.
    pub fn new(limits: Limits) -> Self {
        let mut yamux = Yamux::new(Role::Client, limits.max_streams);
        let control = yamux.open();
        let mut streams = BTreeMap::new();
        if let Some(control) = control {
            streams.insert(control, Stream::new(limits, Vec::new()));
        }
        // stdout and stderr of the plugin; what comes on them is thrown away, as most hosts do.
        let outputs = [yamux.open(), yamux.open()];
        Self {
            limits,
            yamux,
            ids: TypeIds::starting_at(FIRST_TYPE),
            control,
            outputs,
            streams,
            last_ask: 0,
            waiting: BTreeMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// Asks the control stream, e.g. `Control.Ping`.
    pub fn ask_control(&mut self, service_method: &str, schema: &Schema, argument: &Value) -> AskId {
        self.ask(self.control, service_method, schema, argument)
    }

    /// Calls a method of a dispensed plugin, e.g. `Area`.
    pub fn ask_plugin(&mut self, plugin: PluginId, method: &str, schema: &Schema, argument: &Value) -> AskId {
        self.ask(Some(plugin.0), &format!("Plugin.{method}"), schema, argument)
    }

    /// Opens the stream of a plugin, by the number that `Dispenser.Dispense` answered.
    pub fn dial(&mut self, number: u32) -> Option<PluginId> {
        let stream = self.yamux.open()?;
        let greeting = number.to_le_bytes();
        self.yamux.send(stream, &greeting);
        self.streams.insert(stream, Stream::new(self.limits, greeting.to_vec()));
        Some(PluginId(stream))
    }

    /// Ends control, stdout and stderr, as a host does that was answered Quit.
    pub fn finish(&mut self) {
        for id in self.control.iter().chain(self.outputs.iter().flatten()) {
            self.yamux.finish(*id);
        }
    }

    /// The next answer, in the order in which they came.
    pub fn next_answer(&mut self) -> Option<(AskId, Result<Value, CallError>)> {
        self.answers.pop_front()
    }

    /// Takes bytes from the plugin, cut anywhere.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), HostSessionError> {
        let received = self.yamux.receive(bytes);
        while let Some(event) = self.yamux.next_event() {
            match event {
                Event::Readable(id) => self.read(id),
                Event::Finished(id) => self.lose(id, "the plugin ended the stream"),
                Event::Reset(id) => self.lose(id, "the plugin reset the stream"),
                // A plugin that opens streams wants its host to serve something, which this one does not.
                Event::Opened(id) => self.yamux.reset(id),
                Event::GoAway => {}
            }
        }
        Ok(received?)
    }

    /// Bytes to be sent next, about `enough` of them.
    pub fn take_output(&mut self, enough: usize) -> Vec<u8> {
        self.yamux.take_output(enough)
    }

    /// Whether [`HostSession::take_output`] would have anything.
    pub fn has_output(&self) -> bool {
        self.yamux.has_output()
    }

    /// Small frames that wait to be sent; with many, the plugin should not be read from.
    pub fn backlog(&self) -> usize {
        self.yamux.backlog()
    }

    /// When [`HostSession::tick`] wants to be called next.
    pub fn deadline(&self) -> Duration {
        self.yamux.deadline()
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Duration) -> Result<(), HostSessionError> {
        Ok(self.yamux.tick(now)?)
    }

    /// Answers everything that is still open with the reason why nothing else will.
    pub fn abandon(&mut self, why: &str) {
        let open: Vec<StreamId> = self.streams.keys().copied().collect();
        for id in open {
            self.lose(id, why);
        }
    }

    fn ask(&mut self, id: Option<StreamId>, service_method: &str, schema: &Schema, argument: &Value) -> AskId {
        self.last_ask += 1;
        let ask = AskId(self.last_ask);
        let Some((id, stream)) = id.and_then(|id| Some((id, self.streams.get_mut(&id)?))) else {
            let why = "its stream is gone".to_owned();
            self.answers.push_back((ask, Err(CallError::ShutDown { why })));
            return ask;
        };
        let mut bytes = Vec::new();
        match stream.asker.ask(&mut self.ids, service_method, schema, argument, &mut bytes) {
            Ok(seq) => {
                self.waiting.insert((id, seq), ask);
                if stream.greeting.is_empty() {
                    self.yamux.send(id, &bytes);
                } else {
                    stream.held.extend(bytes);
                }
            }
            Err(error) => self.answers.push_back((ask, Err(error.into()))),
        }
        ask
    }

    fn read(&mut self, id: StreamId) {
        let bytes = self.yamux.read(id);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let (greeting, rest) = bytes.split_at(stream.greeting.len().min(bytes.len()));
        if !stream.greeting.starts_with(greeting) {
            self.yamux.reset(id);
            self.lose(id, "the plugin did not greet the stream");
            return;
        }
        stream.greeting.drain(..greeting.len());
        if stream.greeting.is_empty() && !stream.held.is_empty() {
            self.yamux.send(id, &std::mem::take(&mut stream.held));
        }
        stream.asker.feed(rest);
        loop {
            match stream.asker.next_response() {
                Ok(None) => return,
                Ok(Some(response)) => {
                    if let Some(ask) = self.waiting.remove(&(id, response.seq)) {
                        self.answers.push_back((ask, response.result.map_err(CallError::Remote)));
                    }
                }
                Err(error) => {
                    self.lost_track(id, &error);
                    return;
                }
            }
        }
    }

    fn lost_track(&mut self, id: StreamId, error: &RpcError) {
        self.yamux.reset(id);
        self.lose(id, &chain(error));
    }

    fn lose(&mut self, id: StreamId, why: &str) {
        self.yamux.finish(id);
        if self.streams.remove(&id).is_none() {
            return;
        }
        let over: Vec<(StreamId, u64)> = self.waiting.keys().filter(|(stream, _)| *stream == id).copied().collect();
        for key in over {
            if let Some(ask) = self.waiting.remove(&key) {
                self.answers.push_back((ask, Err(CallError::ShutDown { why: why.to_owned() })));
            }
        }
    }
}

impl Stream {
    fn new(limits: Limits, greeting: Vec<u8>) -> Self {
        Self { asker: Asker::new(limits), greeting, held: Vec::new() }
    }
}
