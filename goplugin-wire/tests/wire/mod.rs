//! The recorded session, and small tools to take yamux frames apart. Shared by the test files beside it.
#![allow(dead_code, reason = "each test file uses its own part")]

use goplugin_wire::Value;
use goplugin_wire::gob::decode::Decoder;
use goplugin_wire::limits::Limits;

pub(crate) const DATA: u8 = 0;
pub(crate) const WINDOW_UPDATE: u8 = 1;
pub(crate) const PING: u8 = 2;
pub(crate) const GO_AWAY: u8 = 3;
pub(crate) const SYN: u16 = 1;
pub(crate) const ACK: u16 = 2;
pub(crate) const FIN: u16 = 4;
pub(crate) const RST: u16 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Host,
    Plugin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u16,
    pub(crate) stream: u32,
    pub(crate) length: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, flags: u16, stream: u32, length: u32) -> Self {
        Self { kind, flags, stream, length, payload: Vec::new() }
    }

    pub(crate) fn data(stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        Self { kind: DATA, flags: 0, stream, length: payload.len() as u32, payload }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0, self.kind];
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(self.length.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// Whole frames at the front of `bytes`, which lose them.
pub(crate) fn take_frames(bytes: &mut Vec<u8>) -> Vec<Frame> {
    let mut frames = Vec::new();
    while bytes.len() >= 12 {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let mut frame = Frame::new(bytes[1], u16::from_be_bytes([bytes[2], bytes[3]]), number(4), number(8));
        let payload = if frame.kind == DATA { frame.length as usize } else { 0 };
        if bytes.len() < 12 + payload {
            break;
        }
        frame.payload = bytes[12..12 + payload].to_vec();
        bytes.drain(..12 + payload);
        frames.push(frame);
    }
    frames
}

/// What went over one stream, without the frames around it.
pub(crate) fn payload_of(frames: &[Frame], stream: u32) -> Vec<u8> {
    frames.iter().filter(|frame| frame.stream == stream).flat_map(|frame| frame.payload.clone()).collect()
}

/// One recorded frame, under the name of the call it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) call: String,
    pub(crate) from: From,
    pub(crate) frame: Frame,
}

pub(crate) fn recorded_session() -> Vec<Recorded> {
    let mut call = String::new();
    let mut recorded = Vec::new();
    for line in include_str!("../captures/step-plugin-session.txt").lines() {
        if let Some(name) = line.strip_prefix("##") {
            call = name.to_owned();
        } else if !line.starts_with('#') {
            recorded.push(parse(&call, line));
        }
    }
    recorded
}

fn parse(call: &str, line: &str) -> Recorded {
    let (head, tail) = line.split_once("flags=[").unwrap();
    let (flags, payload) = tail.split_once(']').unwrap();
    let head: Vec<&str> = head.split_whitespace().collect();
    let number = |text: &str| text.split_once('=').unwrap().1.parse().unwrap();
    let [from, kind, stream, length] = head[..] else { panic!("{line}") };
    let flag = |name| match name {
        "SYN" => SYN,
        "ACK" => ACK,
        "FIN" => FIN,
        "RST" => RST,
        other => panic!("{other}"),
    };
    let frame = Frame {
        kind: match kind {
            "DATA" => DATA,
            "WINUPD" => WINDOW_UPDATE,
            other => panic!("{other}"),
        },
        flags: flags.split_whitespace().map(flag).sum(),
        stream: number(stream),
        length: number(length),
        payload: unhex(payload.trim()),
    };
    assert!(frame.kind != DATA || frame.payload.len() == frame.length as usize, "{line}");
    let from = if from == "H>P" { From::Host } else { From::Plugin };
    Recorded { call: call.to_owned(), from, frame }
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
        .collect()
}

/// Every value of a gob stream.
pub(crate) fn decode_all(bytes: &[u8]) -> Vec<Value> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed(bytes);
    let mut values = Vec::new();
    while let Some(decoded) = decoder.next_value().unwrap() {
        values.push(decoded.value);
    }
    decoder.finish().unwrap();
    values
}
