//! yamux, either end of it, as a state machine over bytes. Written here because a go-plugin host closes the whole
//! session when a stream it opened is not acknowledged within 75 s, and the crate `yamux` acknowledges only with the
//! first bytes it has to send; two of go-plugin's streams never have any.
//!
//! It knows no clock: time is what the driver says it is.

mod frame;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use thiserror::Error;

use self::frame::{BadHeader, HEADER, Header, Kind, flag};
use self::stream::{Stream, WINDOW};

/// Between two pings of our own, as in Go.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long the peer may take to answer one, as in Go.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Payload of one data frame of ours. Short, so that a long reply on one stream does not hold up a ping on another.
const LONGEST_PAYLOAD: usize = 16 * 1024;

/// Reasons in a GoAway.
const NORMAL: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;

/// The number of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

/// Which end of the session this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Accepts streams with odd numbers.
    Server,
    /// Opens streams with odd numbers.
    Client,
}

/// What the peer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It opened a stream, which is already acknowledged.
    Opened(StreamId),
    /// It sent bytes, which wait to be read.
    Readable(StreamId),
    /// It will send no more on this stream.
    Finished(StreamId),
    /// It threw the stream away.
    Reset(StreamId),
    /// It will open no more streams.
    GoAway,
}

/// Why a session cannot go on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum YamuxError {
    /// Not yamux, or another version of it.
    #[error("a yamux frame of version {version}, which is not spoken here")]
    Version {
        /// As found.
        version: u8,
    },
    /// Not yamux.
    #[error("a yamux frame of unknown kind {kind}")]
    UnknownKind {
        /// As found.
        kind: u8,
    },
    /// The peer sent more than it was granted.
    #[error("a yamux frame of {length} bytes on stream {stream}, where {window} were granted")]
    FrameTooLong {
        /// The stream's number.
        stream: u32,
        /// As announced.
        length: u32,
        /// As granted.
        window: u32,
    },
    /// The peer granted more than can be counted.
    #[error("the yamux window of stream {stream} overflows")]
    WindowOverflow {
        /// The stream's number.
        stream: u32,
    },
    /// The peer opened a stream with a number that is ours, or in use.
    #[error("the peer cannot open yamux stream {stream}")]
    CannotOpen {
        /// The stream's number.
        stream: u32,
    },
    /// The peer gave up on us.
    #[error("the peer ended the yamux session with error {code}")]
    PeerGaveUp {
        /// 1 is a protocol error, 2 an internal one.
        code: u32,
    },
    /// A ping was not answered.
    #[error("the peer did not answer a yamux ping within {} s", KEEPALIVE_TIMEOUT.as_secs())]
    KeepaliveTimeout,
}

/// One end of a yamux session.
#[derive(Debug)]
pub struct Yamux {
    role: Role,
    max_streams: usize,
    streams: BTreeMap<u32, Stream>,
    next_stream: u32,
    header: Vec<u8>,
    /// The data frame whose payload is arriving, and how much of it is missing.
    payload: Option<(Header, usize)>,
    events: VecDeque<Event>,
    /// Frames without payload; they overtake data.
    urgent: Vec<u8>,
    /// The stream that was served last; the next one in order is next.
    turn: u32,
    next_ping: Duration,
    ping: Option<(u32, Duration)>,
    pings: u32,
    failed: Option<YamuxError>,
}

impl Yamux {
    /// A session at its beginning, at time zero.
    pub fn new(role: Role, max_streams: usize) -> Self {
        Self {
            role,
            max_streams,
            streams: BTreeMap::new(),
            next_stream: match role {
                Role::Client => 1,
                Role::Server => 2,
            },
            header: Vec::with_capacity(HEADER),
            payload: None,
            events: VecDeque::new(),
            urgent: Vec::new(),
            turn: 0,
            next_ping: KEEPALIVE_INTERVAL,
            ping: None,
            pings: 0,
            failed: None,
        }
    }

    /// Takes bytes from the peer, cut anywhere. An error ends the session; a GoAway that says so waits to be sent.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<(), YamuxError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while !bytes.is_empty() {
            if let Some((header, missing)) = self.payload {
                let (part, rest) = bytes.split_at(missing.min(bytes.len()));
                bytes = rest;
                self.take_payload(header, missing, part);
            } else {
                let (part, rest) = bytes.split_at((HEADER - self.header.len()).min(bytes.len()));
                bytes = rest;
                self.header.extend_from_slice(part);
                if let Ok(whole) = <[u8; HEADER]>::try_from(self.header.as_slice()) {
                    self.header.clear();
                    self.take_header(whole).map_err(|error| self.fail(error))?;
                }
            }
        }
        Ok(())
    }

    /// The next thing the peer did.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Opens a stream; `None` when there are too many.
    pub fn open(&mut self) -> Option<StreamId> {
        if self.streams.len() >= self.max_streams {
            return None;
        }
        let stream = self.next_stream;
        self.next_stream = stream.checked_add(2)?;
        self.streams.insert(stream, Stream::new());
        self.frame(Kind::WindowUpdate, flag::SYN, stream, 0);
        Some(StreamId(stream))
    }

    /// Everything received on a stream so far. Reading is what lets the peer send more.
    pub fn read(&mut self, id: StreamId) -> Vec<u8> {
        let Some(stream) = self.streams.get_mut(&id.0) else { return Vec::new() };
        let (bytes, grant) = stream.read();
        if let Some(grant) = grant {
            self.frame(Kind::WindowUpdate, 0, id.0, grant);
        }
        self.forget_if_over(id.0);
        bytes
    }

    /// Queues bytes to be sent as the peer's window allows.
    pub fn send(&mut self, id: StreamId, bytes: &[u8]) {
        if let Some(stream) = self.streams.get_mut(&id.0) {
            stream.send(bytes);
        }
    }

    /// Bytes queued on a stream.
    pub fn unsent(&self, id: StreamId) -> usize {
        self.streams.get(&id.0).map_or(0, Stream::unsent)
    }

    /// Ends our half of a stream behind what is queued.
    pub fn finish(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id.0) {
            stream.finish();
        }
    }

    /// Throws a stream away.
    pub fn reset(&mut self, id: StreamId) {
        if self.streams.remove(&id.0).is_some() {
            self.frame(Kind::WindowUpdate, flag::RST, id.0, 0);
        }
    }

    /// Says that we are about to leave.
    pub fn go_away(&mut self) {
        self.frame(Kind::GoAway, 0, 0, NORMAL);
    }

    /// Bytes to be sent next: whole frames, about `enough` bytes of them, empty when there is nothing to send. Small
    /// frames come first, then each stream in its turn.
    pub fn take_output(&mut self, enough: usize) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.urgent);
        while out.len() < enough && self.streams.values().any(Stream::has_output) {
            let after = self.streams.range(self.turn.saturating_add(1)..);
            let order: Vec<u32> = after.chain(self.streams.range(..=self.turn)).map(|(id, _)| *id).collect();
            let before = out.len();
            for id in order {
                if out.len() >= enough {
                    break;
                }
                self.turn = id;
                self.put_next(id, &mut out);
            }
            if out.len() == before {
                break;
            }
        }
        out
    }

    /// Whether [`Yamux::take_output`] would have anything.
    pub fn has_output(&self) -> bool {
        !self.urgent.is_empty() || self.streams.values().any(Stream::has_output)
    }

    /// Small frames that wait to be sent. A peer that causes many and reads none should not be read from either.
    pub fn backlog(&self) -> usize {
        self.urgent.len()
    }

    /// When [`Yamux::tick`] wants to be called next.
    pub fn deadline(&self) -> Duration {
        self.ping.map_or(self.next_ping, |(_, deadline)| deadline)
    }

    /// Lets time pass: pings the peer when it is time, and fails when it did not answer.
    pub fn tick(&mut self, now: Duration) -> Result<(), YamuxError> {
        match self.ping {
            Some((_, deadline)) if now >= deadline => return Err(self.fail(YamuxError::KeepaliveTimeout)),
            Some(_) => {}
            None if now >= self.next_ping => {
                self.pings = self.pings.wrapping_add(1);
                self.ping = Some((self.pings, now + KEEPALIVE_TIMEOUT));
                self.next_ping = now + KEEPALIVE_INTERVAL;
                self.frame(Kind::Ping, flag::SYN, 0, self.pings);
            }
            None => {}
        }
        Ok(())
    }

    fn take_header(&mut self, bytes: [u8; HEADER]) -> Result<(), YamuxError> {
        let header = Header::parse(bytes).map_err(|bad| match bad {
            BadHeader::Version(version) => YamuxError::Version { version },
            BadHeader::Kind(kind) => YamuxError::UnknownKind { kind },
        })?;
        match header.kind {
            Kind::Ping => self.pinged(header),
            Kind::GoAway if header.length == NORMAL => self.events.push_back(Event::GoAway),
            Kind::GoAway => return Err(YamuxError::PeerGaveUp { code: header.length }),
            Kind::WindowUpdate => {
                if header.has(flag::SYN) {
                    self.accept(header.stream)?;
                }
                if let Some(stream) = self.streams.get_mut(&header.stream)
                    && !stream.grant(header.length)
                {
                    return Err(YamuxError::WindowOverflow { stream: header.stream });
                }
                self.take_flags(header);
            }
            Kind::Data => {
                if header.has(flag::SYN) {
                    self.accept(header.stream)?;
                }
                // What a stream that is gone still gets is thrown away, but may be no longer either.
                let window = self.streams.get(&header.stream).map_or(WINDOW, Stream::may_receive);
                if header.length > window {
                    return Err(YamuxError::FrameTooLong { stream: header.stream, length: header.length, window });
                }
                if header.length == 0 {
                    self.take_flags(header);
                } else {
                    self.payload = Some((header, header.length as usize));
                }
            }
        }
        Ok(())
    }

    fn take_payload(&mut self, header: Header, missing: usize, part: &[u8]) {
        if let Some(stream) = self.streams.get_mut(&header.stream)
            && !stream.remote_finished()
        {
            stream.receive(part);
        }
        let missing = missing - part.len();
        self.payload = (missing != 0).then_some((header, missing));
        if self.streams.contains_key(&header.stream) {
            self.events.push_back(Event::Readable(StreamId(header.stream)));
        }
        if missing == 0 {
            self.take_flags(header);
        }
    }

    fn take_flags(&mut self, header: Header) {
        let id = StreamId(header.stream);
        if header.has(flag::RST) {
            if self.streams.remove(&header.stream).is_some() {
                self.events.push_back(Event::Reset(id));
            }
        } else if header.has(flag::FIN)
            && let Some(stream) = self.streams.get_mut(&header.stream)
            && !stream.remote_finished()
        {
            stream.finish_remotely();
            self.events.push_back(Event::Finished(id));
            self.forget_if_over(header.stream);
        }
    }

    fn accept(&mut self, stream: u32) -> Result<(), YamuxError> {
        let theirs = match self.role {
            Role::Server => stream % 2 == 1,
            Role::Client => stream != 0 && stream.is_multiple_of(2),
        };
        if !theirs || self.streams.contains_key(&stream) {
            return Err(YamuxError::CannotOpen { stream });
        }
        if self.streams.len() >= self.max_streams {
            self.frame(Kind::WindowUpdate, flag::RST, stream, 0);
            return Ok(());
        }
        self.streams.insert(stream, Stream::new());
        // At once, whether or not there will ever be anything to say on it: see the module's first paragraph.
        self.frame(Kind::WindowUpdate, flag::ACK, stream, 0);
        self.events.push_back(Event::Opened(StreamId(stream)));
        Ok(())
    }

    fn pinged(&mut self, header: Header) {
        if header.has(flag::ACK) {
            if self.ping.is_some_and(|(number, _)| number == header.length) {
                self.ping = None;
            }
        } else {
            self.frame(Kind::Ping, flag::ACK, 0, header.length);
        }
    }

    fn put_next(&mut self, id: u32, out: &mut Vec<u8>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if let Some(payload) = stream.next_payload(LONGEST_PAYLOAD) {
            Header { kind: Kind::Data, flags: 0, stream: id, length: payload.len() as u32 }.put(out);
            out.extend(payload);
        }
        if stream.take_fin() {
            Header { kind: Kind::WindowUpdate, flags: flag::FIN, stream: id, length: 0 }.put(out);
            self.forget_if_over(id);
        }
    }

    fn forget_if_over(&mut self, id: u32) {
        if self.streams.get(&id).is_some_and(Stream::is_over) {
            self.streams.remove(&id);
        }
    }

    fn frame(&mut self, kind: Kind, flags: u16, stream: u32, length: u32) {
        Header { kind, flags, stream, length }.put(&mut self.urgent);
    }

    fn fail(&mut self, error: YamuxError) -> YamuxError {
        let blame = !matches!(error, YamuxError::PeerGaveUp { .. } | YamuxError::KeepaliveTimeout);
        self.frame(Kind::GoAway, 0, 0, if blame { PROTOCOL_ERROR } else { NORMAL });
        self.failed = Some(error.clone());
        error
    }
}
