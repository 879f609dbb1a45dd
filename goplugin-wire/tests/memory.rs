//! Small hostile input must not take much memory. Measured on the process itself, so this file has one test only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

use std::time::Duration;

use goplugin_wire::gob::decode::Decoder;
use goplugin_wire::gob::encode::{Encoder, TypeIds};
use goplugin_wire::netrpc::Asker;
use goplugin_wire::session::{Catalogue, Session};
use goplugin_wire::{Limits, Schema, StructDef, Value};

mod wire;
use wire::{Frame, SYN, WINDOW_UPDATE, payload_of, take_frames};

const MIB: usize = 1024 * 1024;

struct Anything;

impl Catalogue for Anything {
    fn has_plugin(&self, _: &str) -> bool {
        true
    }

    fn has_method(&self, _: &str, _: &str) -> bool {
        true
    }
}

/// The most memory this process ever had, in bytes.
fn peak() -> usize {
    status("VmHWM:")
}

/// What it has now.
fn current() -> usize {
    status("VmRSS:")
}

fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// A message that begins like `value`, whose last byte is repeated up to eight MiB, with a count to match.
fn stretched(schema: &Schema, element: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut encoder, mut ids) = (Encoder::new(), TypeIds::starting_at(64));
    encoder.encode(&mut ids, schema, &Value::List(Vec::new()), &mut out).unwrap();
    // What is left is the value: a length of one byte, the type of two, a zero, and a count of zero.
    let id = out[out.len() - 4..out.len() - 2].to_vec();
    out.truncate(out.len() - 5);
    let count = (8 * MIB - 16) / element.len();
    let mut body = id;
    body.push(0);
    body.push(0xFC);
    body.extend((count as u32).to_be_bytes());
    for _ in 0..count {
        body.extend(element);
    }
    out.push(0xFC);
    out.extend((body.len() as u32).to_be_bytes());
    out.extend(body);
    out
}

fn decode(bytes: &[u8]) -> Result<usize, String> {
    let mut decoder = Decoder::new(Limits::default());
    let mut values = 0;
    for piece in bytes.chunks(256 * 1024) {
        decoder.feed(piece);
        while decoder.next_value().map_err(|error| error.to_string())?.is_some() {
            values += 1;
        }
    }
    Ok(values)
}

#[test]
fn hostile_input_stays_within_bounds() {
    // In this order: memory that was used before and is free now is not given back, and would hide what is used.
    every_connection_with_a_message_that_is_never_completed();
    the_largest_messages_of_the_smallest_things();
}

fn the_largest_messages_of_the_smallest_things() {
    let before = peak();
    let slice = |element: Schema| Schema::slice("[]x", element);
    for (schema, element) in [
        (slice(Schema::Bool), &[0_u8][..]),
        (slice(StructDef::new("E").into()), &[0]),
        (slice(Schema::interface([])), &[1, b'x', 2, 2, 0, 0]),
        (slice(slice(Schema::Bool)), &[1, 1]),
        (slice(Schema::map("m", Schema::Bool, Schema::Bool)), &[1, 0, 0]),
    ] {
        let error = decode(&stretched(&schema, element)).unwrap_err();
        assert!(error.contains("bytes of memory for one value"), "{schema:?}: {error}");
    }
    let decoded = peak() - before;
    // 8 MiB as bytes, the same as made here, and 32 MiB decoded into vectors that may double.
    assert!(decoded < 200 * MIB, "{} MiB for one value", decoded / MIB);

    // Definitions without end, each with a long name.
    let names: Vec<u8> = (0..5000).flat_map(definition).collect();
    let error = decode(&names).unwrap_err();
    assert!(error.contains("type definitions") || error.contains("types defined"), "{error}");
}

fn every_connection_with_a_message_that_is_never_completed() {
    let limits = Limits::default();
    let mut session = Session::new(Anything, limits);
    let mut feed = |frame: Frame| {
        session.receive(Duration::ZERO, &frame.bytes()).unwrap();
        take_frames(&mut session.take_output(usize::MAX).unwrap())
    };
    for stream in [1, 3, 5] {
        feed(Frame::new(WINDOW_UPDATE, SYN, stream, 0));
    }
    let (mut control, mut ids) = (Asker::new(limits), TypeIds::starting_at(64));
    let streams: Vec<u32> = (0..7).map(|nth| 7 + 2 * nth).collect();
    for stream in &streams {
        let mut bytes = Vec::new();
        control.ask(&mut ids, "Dispenser.Dispense", &Schema::String, &"x".into(), &mut bytes).unwrap();
        control.feed(&payload_of(&feed(Frame::data(1, bytes)), 1));
        let number = control.next_response().unwrap().unwrap().result.unwrap().as_u64().unwrap() as u32;
        feed(Frame::new(WINDOW_UPDATE, SYN, *stream, 0));
        assert_eq!(feed(Frame::data(*stream, number.to_le_bytes())), [Frame::data(*stream, number.to_le_bytes())]);
        feed(Frame::data(*stream, [0xFD, 0x7F, 0xFF, 0xFF]));
    }
    let before = current();
    for _ in 0..60 {
        for stream in &streams {
            feed(Frame::data(*stream, vec![1; 131_072]));
        }
    }
    let held = current() - before;
    assert!(held > 40 * MIB, "{} MiB: this was to fill every connection", held / MIB);
    assert!(peak() - before < 200 * MIB, "{} MiB for a session", (peak() - before) / MIB);
}

/// `-(65 + n)`, a struct without fields and with a name of 1000 bytes.
fn definition(number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut encoder, mut ids) = (Encoder::new(), TypeIds::starting_at(65 + number));
    let schema: Schema = StructDef::new(&"n".repeat(1000)).into();
    encoder.encode(&mut ids, &schema, &Value::record("", []), &mut out).unwrap();
    out
}
