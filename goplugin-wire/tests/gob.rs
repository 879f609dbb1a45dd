//! Gob against Go: values captured from Go's own encoder (captures/gob-values.go is the recipe) decode to what the Go
//! program said, and encode to the very same bytes. Then properties: round trips, cuts, and bytes that mean harm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

use goplugin_wire::gob::decode::{DecodeError, Decoder};
use goplugin_wire::gob::encode::{EncodeError, Encoder, TypeIds};
use goplugin_wire::gob::time::go_time;
use goplugin_wire::{Interest, InterfaceValue, Limits, Schema, StructDef, StructValue, Value};
use proptest::prelude::*;

mod wire;
use wire::{decode_all, unhex};

/// The lines of the capture.
fn captured(name: &str) -> Vec<u8> {
    let lines = include_str!("captures/gob-values.txt").lines();
    let mut found = lines.filter_map(|line| line.split_once(' ')).filter(|(found, _)| *found == name);
    unhex(found.next().unwrap().1)
}

fn encode_all(ids: &mut TypeIds, values: &[(Schema, Value)]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    for (schema, value) in values {
        encoder.encode(ids, schema, value, &mut out).unwrap();
    }
    out
}

fn text(value: &str) -> Value {
    value.into()
}

fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::List(values.into_iter().collect())
}

fn pairs<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn inner(name: &str) -> Value {
    Value::record("Inner", (!name.is_empty()).then(|| ("Name", text(name))))
}

fn inner_schema() -> Schema {
    StructDef::new("Inner").field("Name", Schema::String).into()
}

fn names_schema() -> Schema {
    Schema::slice("[]string", Schema::String)
}

fn scalars() -> Vec<(Schema, Value)> {
    let schema: Schema = StructDef::new("Scalars")
        .field("Yes", Schema::Bool)
        .field("Small", Schema::Int)
        .field("Big", Schema::Int)
        .field("Count", Schema::Uint)
        .field("Ratio", Schema::Float)
        .field("Wave", Schema::Complex)
        .field("Raw", Schema::Bytes)
        .field("Text", Schema::String)
        .pointer("Point", Schema::Int)
        .field("Zero", Schema::Int)
        .into();
    let full = Value::record(
        "Scalars",
        [
            ("Yes", true.into()),
            ("Small", Value::Int(-5)),
            ("Big", Value::Int(i64::MIN)),
            ("Count", Value::Uint(1 << 31)),
            ("Ratio", Value::Float(17.25)),
            ("Wave", Value::Complex(1.0, -2.0)),
            ("Raw", Value::Bytes(vec![0, 255])),
            ("Text", text("grüß")),
            ("Point", Value::Int(7)),
        ],
    );
    vec![(schema.clone(), full), (schema, Value::record("Scalars", []))]
}

fn singles() -> Vec<(Schema, Value)> {
    vec![
        (Schema::Int, Value::Int(-129)),
        (Schema::Uint, Value::Uint(300)),
        (Schema::String, text("x")),
        (Schema::Bytes, Value::Bytes(b"y".to_vec())),
        (Schema::Float, Value::Float(2.5)),
        (Schema::Complex, Value::Complex(0.0, 1.0)),
        (Schema::Bool, false.into()),
    ]
}

fn containers_schema() -> Schema {
    StructDef::new("Containers")
        .field("Names", names_schema())
        .field("Labels", Schema::map("map[string]int", Schema::String, Schema::Int))
        .field("Fixed", Schema::array("[3]uint16", Schema::Uint, 3))
        .field("Inners", Schema::slice("[]main.Inner", inner_schema()))
        .field("ByName", Schema::map("map[string]*main.Inner", Schema::String, inner_schema()))
        .field("Matrix", Schema::slice("[][]float64", Schema::slice("", Schema::Float)))
        .field("Empty", Schema::map("map[string]string", Schema::String, Schema::String))
        .field("Held", inner_schema())
        .pointer("Pointed", inner_schema())
        .pointer("Nothing", inner_schema())
        .into()
}

/// A zero array and a zero struct are sent by Go, and so come back.
fn zero_containers(more: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let zero = [("Fixed", list([Value::Uint(0), Value::Uint(0), Value::Uint(0)])), ("Held", inner(""))];
    Value::record("Containers", more.into_iter().chain(zero))
}

fn containers() -> Vec<(Schema, Value)> {
    let full = Value::record(
        "Containers",
        [
            ("Names", list([text("a"), text("")])),
            ("Labels", pairs([("one", Value::Int(1))])),
            ("Fixed", list([Value::Uint(1), Value::Uint(0), Value::Uint(3)])),
            ("Inners", list([inner("i"), inner("")])),
            ("ByName", pairs([("p", inner("q"))])),
            ("Matrix", list([list([Value::Float(1.0)]), list([])])),
            ("Empty", pairs([])),
            ("Held", inner("")),
            ("Pointed", inner("")),
        ],
    );
    vec![(containers_schema(), full), (containers_schema(), zero_containers([]))]
}

fn boxed(before: &str, content: Value, after: &str) -> Value {
    let fields = [("Before", text(before)), ("Content", content), ("After", text(after))];
    let zero = |value: &Value| value.is_nil() || value.as_str() == Some("");
    Value::record("Box", fields.into_iter().filter(|(_, value)| !zero(value)))
}

/// Go names a type without a name of its own only when it first meets it in a field; these it meets elsewhere.
/// A Box holds anything, itself included. Schemas are trees, so it is written out as deep as the capture goes; to Go's
/// stream all these are one type, and here they must become one as well.
fn box_schema(deep: usize) -> Schema {
    let mut held = vec![
        ("pkg.Inner", inner_schema()),
        ("[]string", names_schema()),
        ("pkg.Deep", Schema::map("", Schema::String, containers_schema())),
    ];
    if deep > 0 {
        held.push(("pkg.Box", box_schema(deep - 1)));
    }
    StructDef::new("Box")
        .field("Before", Schema::String)
        .field("Content", Schema::interface(held))
        .field("After", Schema::String)
        .into()
}

fn interfaces() -> Vec<(Schema, Value)> {
    let held = |value| Value::interface("pkg.Inner", value);
    let nested = |content| Value::interface("pkg.Box", content);
    let names = Value::interface("[]string", list([text("deep")]));
    let any = [("string", Schema::String), ("int", Schema::Int), ("pkg.Inner", inner_schema())];
    let anything = Schema::slice("", Schema::interface(any));
    let things = [
        Value::interface("string", text("text")),
        Value::interface("int", Value::Int(5)),
        Value::nil(),
        held(inner("x")),
    ];
    // Fixed and Held come in the order of their declaration.
    let deep = Value::record(
        "Containers",
        [
            ("Names", list([text("n")])),
            ("Fixed", list([Value::Uint(0), Value::Uint(0), Value::Uint(0)])),
            ("Held", inner("")),
        ],
    );
    vec![
        (Schema::interface([("pkg.Inner", inner_schema())]), held(inner("top"))),
        (box_schema(2), boxed("a", held(inner("in")), "b")),
        (box_schema(2), boxed("a", nested(boxed("c", nested(boxed("e", names, "f")), "d")), "b")),
        (box_schema(2), boxed("a", Value::nil(), "b")),
        (anything, list(things)),
        (box_schema(2), boxed("m", Value::interface("pkg.Deep", pairs([("k", deep)])), "")),
    ]
}

#[test]
fn what_go_encoded_decodes_to_what_go_meant() {
    let cases =
        [("scalars", scalars()), ("singles", singles()), ("containers", containers()), ("interfaces", interfaces())];
    for (name, expected) in cases {
        let expected: Vec<Value> = expected.into_iter().map(|(_, value)| value).collect();
        assert_eq!(decode_all(&captured(name)), expected, "{name}");
    }
    let tree = decode_all(&captured("tree")).remove(0);
    assert_eq!(tree.at(&["Left", "Right", "Value"]).and_then(Value::as_i64), Some(3), "a type that contains itself");
}

/// Byte for byte, the numbers of the types included: Go counts them in the order in which it meets them.
#[test]
fn what_go_encoded_is_encoded_to_the_same_bytes() {
    let mut ids = TypeIds::starting_at(64);
    for (name, values) in [("scalars", scalars()), ("singles", singles()), ("containers", containers())] {
        assert_eq!(encode_all(&mut ids, &values), captured(name), "{name}");
    }
    let slice = [(names_schema(), list([text("s")]))];
    assert_eq!(encode_all(&mut ids, &slice), captured("slice"), "a type that another stream has numbered");
    ids.skip(1); // Tree, which contains itself and so has no schema
    assert_eq!(encode_all(&mut ids, &interfaces()), captured("interfaces"));
}

#[test]
fn times_stay_opaque_and_are_read_by_whoever_knows_them() {
    let times = decode_all(&captured("times")).remove(0);
    let time = |field| go_time(times.field(field)?.as_bytes()?);
    assert!(matches!(times.field("At"), Some(Value::Opaque(_))));
    assert_eq!(time("At"), Some((1_767_355_200, 500)), "2026-01-02 12:00 UTC");
    assert_eq!(time("Also"), Some((1_767_355_200 - 3 * 3600 - 17, 0)), "the same on the clocks of +03:00:17");
    assert_eq!(time("Not"), None, "the zero time is not sent");
}

#[test]
fn a_value_that_does_not_fit_its_schema_is_refused_and_nothing_is_sent() {
    let schema: Schema = StructDef::new("Inner").field("Name", Schema::String).into();
    let (mut ids, mut encoder, mut out) = (TypeIds::starting_at(64), Encoder::new(), vec![7]);
    let misspelt = Value::record("Inner", [("Nmae", text("x"))]);
    let error = encoder.encode(&mut ids, &schema, &misspelt, &mut out).unwrap_err();
    assert_eq!(error, EncodeError::UnknownField { type_name: "Inner".into(), field: "Nmae".into() });
    let wrong = Value::record("Inner", [("Name", Value::Int(1))]);
    let error = encoder.encode(&mut ids, &schema, &wrong, &mut out).unwrap_err();
    assert_eq!(error, EncodeError::Mismatch { at: "Inner.Name".into(), expected: "a string" });
    let unlisted = Value::interface("pkg.Other", Value::Int(1));
    let error = encoder.encode(&mut ids, &Schema::interface([]), &unlisted, &mut out).unwrap_err();
    assert_eq!(error, EncodeError::UnlistedType { name: "pkg.Other".into() });
    assert_eq!(out, [7]);
    // The definition that came to nothing is sent with the next value.
    encoder.encode(&mut ids, &schema, &inner("x"), &mut out).unwrap();
    assert_eq!(decode_all(&out[1..]), [inner("x")]);
}

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

/// A schema and a value of it, as decoding would give it back: what Go would not send is not in it.
fn typed_value() -> impl Strategy<Value = (Schema, Value)> {
    let scalar = prop_oneof![
        any::<bool>().prop_map(|value| (Schema::Bool, Value::Bool(value))),
        any::<i64>().prop_map(|value| (Schema::Int, Value::Int(value))),
        any::<u64>().prop_map(|value| (Schema::Uint, Value::Uint(value))),
        any::<f64>()
            .prop_filter("NaN is not itself", |value| !value.is_nan())
            .prop_map(|v| (Schema::Float, Value::Float(v))),
        any::<Vec<u8>>().prop_map(|value| (Schema::Bytes, Value::Bytes(value))),
        ".{0,20}".prop_map(|value| (Schema::String, Value::String(value))),
        any::<Vec<u8>>().prop_map(|value| (Schema::gob_encoder("Time"), Value::Opaque(value))),
    ];
    scalar.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            (inner.clone(), 0..4_usize).prop_map(|((schema, value), count)| {
                (Schema::slice("[]x", schema), Value::List(vec![value; count]))
            }),
            (inner.clone(), 0..4_usize).prop_map(|((schema, value), count)| {
                (Schema::array("[n]x", schema, count), Value::List(vec![value; count]))
            }),
            (inner.clone(), ".{0,5}").prop_map(|((schema, value), key)| {
                let map = Value::Map(vec![(Value::String(key), value)]);
                (Schema::map("map[string]x", Schema::String, schema), map)
            }),
            (inner.clone(), "[a-z]{1,9}").prop_map(|((schema, value), name)| {
                (Schema::interface([(name.as_str(), schema)]), Value::interface(name.clone(), value))
            }),
            proptest::collection::vec(inner, 0..5).prop_map(|fields| {
                let names = ["A", "B", "C", "D", "E"];
                let fields: Vec<_> = names.into_iter().zip(fields).collect();
                let schema =
                    fields.iter().fold(StructDef::new("S"), |def, (name, (schema, _))| def.field(name, schema.clone()));
                let sent =
                    fields.into_iter().map(|(name, (_, value))| (name, value)).filter(|(_, value)| !left_out(value));
                (schema.into(), Value::record("S", sent))
            }),
        ]
    })
}

fn left_out(value: &Value) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::Int(value) => *value == 0,
        Value::Uint(value) => *value == 0,
        Value::Float(value) => *value == 0.0,
        Value::Bytes(value) => value.is_empty(),
        Value::String(value) => value.is_empty(),
        // An empty array is sent and an empty slice is not, which a value alone does not tell.
        Value::List(values) => values.is_empty(),
        Value::Complex(..) | Value::Struct(_) | Value::Map(_) | Value::Interface(_) | Value::Opaque(_) => false,
    }
}

/// Empty arrays come back where empty slices do not: both count as nothing here.
fn without_empty_lists(value: Value) -> Value {
    match value {
        Value::Struct(mut value) => {
            value.fields = value
                .fields
                .into_iter()
                .filter(|(_, field)| !matches!(field, Value::List(values) if values.is_empty()))
                .map(|(name, field)| (name, without_empty_lists(field)))
                .collect();
            Value::Struct(value)
        }
        Value::List(values) => Value::List(values.into_iter().map(without_empty_lists).collect()),
        Value::Map(pairs) => {
            Value::Map(pairs.into_iter().map(|(key, value)| (key, without_empty_lists(value))).collect())
        }
        Value::Interface(Some(inner)) => Value::interface(inner.name, without_empty_lists(inner.value)),
        other @ (Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Bytes(_)
        | Value::String(_)
        | Value::Interface(None)
        | Value::Opaque(_)) => other,
    }
}

/// Decodes whatever there is, and goes on after errors as long as there is sense in it.
fn decode_anything(pieces: &[&[u8]]) -> usize {
    let limits = Limits { max_decoded: 1 << 20, max_message: 1 << 20, ..Limits::default() };
    let mut decoder = Decoder::new(limits);
    let mut steps = 0;
    for piece in pieces {
        decoder.feed(piece);
        loop {
            steps += 1;
            match decoder.next_value() {
                Ok(Some(decoded)) => assert!(decoded.cost <= limits.max_decoded),
                Ok(None) => break,
                Err(_) if decoder.is_broken() => return steps,
                Err(_) => {}
            }
        }
    }
    steps
}

static INTERESTS: [Interest; 4] = [
    Interest::Whole,
    Interest::Nothing,
    Interest::Fields(&[("Name", Interest::Whole), ("A", Interest::Whole), ("Inner", Interest::Nothing)]),
    Interest::Fields(&[("Inner", Interest::Fields(&[("Name", Interest::Whole)])), ("B", Interest::Whole)]),
];

/// What is left of a value, of which only so much is wanted.
fn pruned(value: Value, interest: &Interest) -> Option<Value> {
    let fields = match interest {
        Interest::Nothing => return None,
        Interest::Whole => return Some(value),
        Interest::Fields(fields) => fields,
    };
    let inner = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, interest)| interest);
    Some(match value {
        Value::Struct(StructValue { type_name, fields }) => {
            let kept =
                fields.into_iter().filter_map(|(name, value)| Some((name.clone(), pruned(value, inner(&name)?)?)));
            Value::Struct(StructValue { type_name, fields: kept.collect() })
        }
        Value::List(values) => Value::List(values.into_iter().filter_map(|value| pruned(value, interest)).collect()),
        Value::Map(pairs) => Value::Map(
            pairs.into_iter().filter_map(|(key, value)| pruned(key, interest).zip(pruned(value, interest))).collect(),
        ),
        Value::Interface(Some(held)) => {
            let InterfaceValue { name, value } = *held;
            Value::interface(name, pruned(value, interest).unwrap())
        }
        scalar @ (Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::Complex(..)
        | Value::Bytes(_)
        | Value::String(_)
        | Value::Interface(_)
        | Value::Opaque(_)) => scalar,
    })
}

fn decode_of(bytes: &[u8], interest: &'static Interest) -> Vec<(Value, usize)> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed(bytes);
    std::iter::from_fn(|| decoder.next_value_of(interest).unwrap()).map(|it| (it.value, it.cost)).collect()
}

#[test]
fn what_nobody_wants_is_walked_over_and_its_types_are_learnt() {
    for name in ["scalars", "singles", "containers", "tree", "interfaces", "times"] {
        let bytes = captured(name);
        for interest in &INTERESTS {
            let found = decode_of(&bytes, interest);
            let expected = decode_all(&bytes).into_iter().map(|it| pruned(it, interest).unwrap_or(Value::nil()));
            assert_eq!(found.iter().map(|(value, _)| value.clone()).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            if matches!(interest, Interest::Nothing) {
                assert!(found.iter().all(|(_, cost)| *cost == 0), "nothing is kept of {name}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_interest_changes_nothing_else(values in proptest::collection::vec(typed_value(), 1..4), which in 0..4_usize) {
        let bytes = encode_all(&mut TypeIds::starting_at(64), &values);
        let found: Vec<Value> = decode_of(&bytes, &INTERESTS[which]).into_iter().map(|(value, _)| value).collect();
        let expected = decode_all(&bytes).into_iter().map(|it| pruned(it, &INTERESTS[which]).unwrap_or(Value::nil()));
        prop_assert_eq!(found, expected.collect::<Vec<_>>());
    }

    #[test]
    fn values_survive_the_round_trip(values in proptest::collection::vec(typed_value(), 1..4)) {
        let bytes = encode_all(&mut TypeIds::starting_at(64), &values);
        let decoded: Vec<Value> = decode_all(&bytes).into_iter().map(without_empty_lists).collect();
        let expected: Vec<Value> = values.into_iter().map(|(_, value)| without_empty_lists(value)).collect();
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn cuts_change_nothing(cuts in proptest::collection::vec(0..2000_usize, 0..20)) {
        let bytes = captured("interfaces");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut decoder = Decoder::new(Limits::default());
        let mut values = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            decoder.feed(&bytes[from..cut]);
            from = cut;
            while let Some(decoded) = decoder.next_value().unwrap() {
                values.push(decoded.value);
            }
        }
        prop_assert_eq!(values, decode_all(&bytes));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>, cut in 0..100_usize) {
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        decode_anything(&[first, second]);
    }

    #[test]
    fn mutated_captures_do_no_harm(
        which in 0..6_usize,
        mutations in proptest::collection::vec((0..3000_usize, any::<u8>()), 1..6),
    ) {
        let name = ["scalars", "singles", "containers", "tree", "interfaces", "times"][which];
        let mut bytes = captured(name);
        for (place, byte) in mutations {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        // No more steps than bytes: nothing spins.
        prop_assert!(decode_anything(&[&bytes]) <= bytes.len() + 1);
    }
}
