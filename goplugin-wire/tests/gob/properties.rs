//! What holds of any value and of any bytes: round trips, cuts, and bytes that mean harm.

use goplugin_wire::gob::decode::Decoder;
use goplugin_wire::gob::encode::TypeIds;
use goplugin_wire::{Limits, Schema, StructDef, Value};
use proptest::prelude::*;

use crate::interest::{INTERESTS, decode_of, pruned};
use crate::wire::decode_all;
use crate::{CAPTURED, captured, encode_all, inside};

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
    inside(value, |field, value| {
        let nothing = field.is_some() && matches!(&value, Value::List(values) if values.is_empty());
        (!nothing).then(|| without_empty_lists(value))
    })
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
        let mut bytes = captured(CAPTURED[which]);
        for (place, byte) in mutations {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        // No more steps than bytes: nothing spins.
        prop_assert!(decode_anything(&[&bytes]) <= bytes.len() + 1);
    }
}
