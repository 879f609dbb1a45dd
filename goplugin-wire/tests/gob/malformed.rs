//! Bytes that are no gob, or more than anybody needs: each has its error, and none costs much.

use goplugin_wire::gob::decode::{DecodeError, Decoder};
use goplugin_wire::gob::encode::TypeIds;
use goplugin_wire::{Limits, Schema, StructDef, Value};

use crate::wire::unhex;
use crate::{captured, encode_all, list, pairs, text};

#[test]
fn a_type_loop_ends_at_the_depth_allowed() {
    // type T []T, numbered 65: SliceT{CommonType{"T", 65}, Elem: 65}.
    let definition = unhex("10ff810201010154 01ff820001ff820000".replace(' ', "").as_str());
    let value = |deep: usize| {
        let mut body = unhex("ff8200");
        body.extend(vec![1; deep]);
        body.push(0);
        let mut message = vec![0xFE, (body.len() >> 8) as u8, body.len() as u8];
        message.extend(body);
        [definition.clone(), message].concat()
    };
    let decode = |bytes: &[u8]| {
        let mut decoder = Decoder::new(Limits::default());
        decoder.feed(bytes);
        decoder.next_value()
    };
    assert!(decode(&value(64)).unwrap().is_some());
    let error = decode(&value(65)).unwrap_err();
    assert_eq!(error, DecodeError::LimitExceeded { what: "levels of nesting", limit: 64 });
    assert!(decode(&value(60_000)).is_err());
}

fn one_error(limits: Limits, bytes: &[u8]) -> (DecodeError, bool) {
    let mut decoder = Decoder::new(limits);
    decoder.feed(bytes);
    loop {
        match decoder.next_value() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no error in {bytes:02x?}"),
            Err(error) => return (error, decoder.is_broken()),
        }
    }
}

#[test]
fn an_over_long_message_is_refused_when_its_length_is_known() {
    let limits = Limits::default();
    for (length, text) in [(8 << 20 | 1, "fd800001"), (u64::MAX, "f8ffffffffffffffff")] {
        let expected = DecodeError::MessageTooLong { length, limit: limits.max_message };
        assert_eq!(one_error(limits, &unhex(text)), (expected, true));
    }
    assert_eq!(one_error(limits, &unhex("f7")), (DecodeError::MalformedInteger, true));
}

#[test]
fn every_way_to_be_malformed_has_its_error() {
    for (what, text, expected) in [
        ("an empty message", "00", DecodeError::Truncated),
        ("a string longer than its message", "040c000561", DecodeError::Truncated),
        ("bytes behind the value", "050c0001616b", DecodeError::ExtraData),
        ("no zero before a single value", "040c010161", DecodeError::NotASingleton),
        ("a type nobody defined", "03ff8200", DecodeError::UnknownType { id: 65 }),
        ("Go's own wireType as a value", "022000", DecodeError::UnknownType { id: 16 }),
        ("text that is none", "050c0002fffe", DecodeError::NotUtf8),
        ("a number of Go's own redefined", "021f00", DecodeError::DuplicateType { id: 16 }),
        ("a definition of no kind", "03ff8100", DecodeError::MalformedType { id: 65, why: "it is of no kind" }),
        (
            "a definition of two kinds",
            "07ff810200010000",
            DecodeError::MalformedType { id: 65, why: "it is of two kinds" },
        ),
        (
            "a definition of an eighth kind",
            "03ff8108",
            DecodeError::MalformedType { id: 65, why: "its fields are out of range" },
        ),
        (
            "an array of negative length",
            "09ff8101020401010000",
            DecodeError::MalformedType { id: 65, why: "its length is negative" },
        ),
        ("bytes behind a definition", "06ff810200000c", DecodeError::ExtraData),
    ] {
        assert_eq!(one_error(Limits::default(), &unhex(text)), (expected, false), "{what}");
    }
}

#[test]
fn limits_hold_for_types_fields_and_memory() {
    let schema = |fields: usize| -> Schema {
        let names: Vec<String> = (0..fields).map(|number| format!("F{number}")).collect();
        names.iter().fold(StructDef::new("S"), |def, name| def.field(name, Schema::Int)).into()
    };
    let encoded = |schema: &Schema, value: Value| encode_all(&mut TypeIds::starting_at(64), &[(schema.clone(), value)]);
    let empty = Value::record("S", []);
    let limit = |limits: Limits, bytes: &[u8]| {
        let error = one_error(limits, bytes).0;
        if let DecodeError::LimitExceeded { what, .. } = error { what } else { panic!("{error}") }
    };
    let default = Limits::default();
    assert_eq!(limit(default, &encoded(&schema(1025), empty.clone())), "fields of one struct");
    assert_eq!(
        limit(Limits { max_types: 0, ..default }, &encoded(&schema(1), empty.clone())),
        "types defined on one stream"
    );
    let few = Limits { max_type_bytes: 100, ..default };
    assert_eq!(limit(few, &encoded(&schema(10), empty)), "bytes of type definitions");
    // One byte an element on the wire, some fifty in memory.
    let flags = Schema::slice("[]bool", Schema::Bool);
    let many = list(vec![Value::Bool(false); 1_000_000]);
    assert_eq!(limit(default, &encoded(&flags, many)), "bytes of memory for one value");
    let name = Value::interface("n".repeat(1025), Value::Int(1));
    let any = Schema::interface([("n".repeat(1025).as_str(), Schema::Int)]);
    assert_eq!(limit(default, &encoded(&any, name)), "bytes in the name of a type");
}

#[test]
fn a_value_of_a_hundred_kilobytes_in_small_pieces_is_far_from_any_limit() {
    let labels = |number: usize| pairs([("app", text(&format!("x{number}"))), ("tier", text("web"))]);
    let schema = StructDef::new("Item")
        .field("Count", Schema::Int)
        .field("Labels", Schema::map("map[string]string", Schema::String, Schema::String));
    let items = (0..5000).map(|number| Value::record("Item", [("Count", Value::Int(1)), ("Labels", labels(number))]));
    let value = list(items);
    let bytes = encode_all(&mut TypeIds::starting_at(64), &[(Schema::slice("[]Item", schema), value.clone())]);
    assert!((100_000..200_000).contains(&bytes.len()), "{}", bytes.len());
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed(&bytes);
    let decoded = decoder.next_value().unwrap().unwrap();
    assert_eq!(decoded.value, value);
    assert!(decoded.cost < Limits::default().max_decoded / 10, "{}", decoded.cost);
}

#[test]
fn after_a_bad_value_the_stream_goes_on_with_the_next_message() {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed(&unhex("050c0002fffe040c000179"));
    assert_eq!(decoder.next_value(), Err(DecodeError::NotUtf8));
    assert_eq!(decoder.next_value().unwrap().unwrap().value, text("y"));
}

#[test]
fn half_a_message_is_told_when_the_stream_ends() {
    let bytes = captured("interfaces");
    for cut in 1..bytes.len() {
        let mut decoder = Decoder::new(Limits::default());
        decoder.feed(&bytes[..cut]);
        while decoder.next_value().unwrap().is_some() {}
        let mut rest = Decoder::new(Limits::default());
        rest.feed(&bytes[..cut]);
        let _ = rest.next_value();
        // Between two messages the stream may end; a definition without its value is a message too.
        if decoder.buffered() > 0 {
            assert_eq!(decoder.finish(), Err(DecodeError::HalfMessage), "cut at {cut}");
        }
    }
}
