//! Values of which only a part is wanted, or nothing: the rest is walked over.

use goplugin_wire::gob::decode::Decoder;
use goplugin_wire::{Interest, Limits, Value};

use crate::wire::decode_all;
use crate::{CAPTURED, captured, inside};

pub(crate) static INTERESTS: [Interest; 4] = [
    Interest::Whole,
    Interest::Nothing,
    Interest::Fields(&[("Name", Interest::Whole), ("A", Interest::Whole), ("Inner", Interest::Nothing)]),
    Interest::Fields(&[("Inner", Interest::Fields(&[("Name", Interest::Whole)])), ("B", Interest::Whole)]),
];

/// What is left of a value, of which only so much is wanted.
pub(crate) fn pruned(value: Value, interest: &Interest) -> Option<Value> {
    let fields = match interest {
        Interest::Nothing => return None,
        Interest::Whole => return Some(value),
        Interest::Fields(fields) => fields,
    };
    Some(inside(value, |field, value| match field {
        Some(name) => pruned(value, &fields.iter().find(|(field, _)| *field == name)?.1),
        None => pruned(value, interest),
    }))
}

pub(crate) fn decode_of(bytes: &[u8], interest: &'static Interest) -> Vec<(Value, usize)> {
    let mut decoder = Decoder::new(Limits::default());
    decoder.feed(bytes);
    std::iter::from_fn(|| decoder.next_value_of(interest).unwrap()).map(|it| (it.value, it.cost)).collect()
}

#[test]
fn what_nobody_wants_is_walked_over_and_its_types_are_learnt() {
    for name in CAPTURED {
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
