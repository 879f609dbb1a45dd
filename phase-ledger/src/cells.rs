//! How a list of cells is kept in one text column: `v1 i:42 t:hello%20world n b:00ff r:1.5`.
//!
//! Version 1: the word `v1`, then one word a cell, each after one space: `n` for NULL, `i:` a decimal number, `r:` the
//! shortest decimal that reads back to the same floating point number (or `inf`, `-inf`, `NaN`), `t:` text in which
//! white space, control characters and `%` are percent-encoded byte by byte, `b:` hexadecimal digits.

use std::fmt::Write;

use crate::{
    Cell,
    text::{nibble, percent_decoded},
};

const VERSION: &str = "v1";

/// The text of a list of cells.
pub(crate) fn encode(cells: &[Cell]) -> String {
    let mut text = VERSION.to_owned();
    for cell in cells {
        text.push(' ');
        match cell {
            Cell::Null => text.push('n'),
            Cell::Int(number) => push(&mut text, format_args!("i:{number}")),
            Cell::Real(number) => push(&mut text, format_args!("r:{number:?}")),
            Cell::Text(value) => {
                text.push_str("t:");
                push_encoded(&mut text, value);
            }
            Cell::Bytes(bytes) => {
                text.push_str("b:");
                for byte in bytes {
                    push(&mut text, format_args!("{byte:02x}"));
                }
            }
        }
    }
    text
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(piece);
}

fn push_encoded(text: &mut String, value: &str) {
    for c in value.chars() {
        if c.is_whitespace() || c.is_control() || c == '%' {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                push(text, format_args!("%{byte:02x}"));
            }
        } else {
            text.push(c);
        }
    }
}

/// The cells of a text.
///
/// # Errors
/// What is wrong with it; no part of its content, which may be somebody's data.
pub(crate) fn decode(text: &str) -> Result<Vec<Cell>, String> {
    let mut words = text.split(' ');
    if words.next() != Some(VERSION) {
        return Err(format!("a list of values does not begin with {VERSION}"));
    }
    words
        .enumerate()
        .map(|(at, word)| cell(word).ok_or_else(|| format!("value {} of a list cannot be read", at + 1)))
        .collect()
}

fn cell(word: &str) -> Option<Cell> {
    if word == "n" {
        return Some(Cell::Null);
    }
    let (kind, value) = word.split_once(':')?;
    Some(match kind {
        "i" => Cell::Int(value.parse().ok()?),
        "r" => Cell::Real(value.parse().ok()?),
        "t" => Cell::Text(String::from_utf8(percent_decoded(value)?).ok()?),
        "b" => Cell::Bytes(unhexed(value)?),
        _ => return None,
    })
}

fn unhexed(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_is_readable_and_stays_as_it_is() {
        let cells = [
            Cell::Null,
            Cell::Int(i64::MIN),
            Cell::Real(-0.0),
            Cell::Real(f64::INFINITY),
            Cell::Text("a b%\n\u{a0}ü:".to_owned()),
            Cell::Text(String::new()),
            Cell::Bytes(vec![0, 255]),
        ];
        let text = encode(&cells);
        // Ledgers hold this text: another one needs another version.
        assert_eq!(text, "v1 n i:-9223372036854775808 r:-0.0 r:inf t:a%20b%25%0a%c2%a0ü: t: b:00ff");
        assert_eq!(decode(&text).unwrap(), cells);
        assert_eq!(encode(&[]), "v1");
        assert_eq!(decode("v1").unwrap(), []);
    }

    #[test]
    fn a_text_that_is_no_list_is_an_error() {
        for bad in [
            "",
            "v2",
            "v1 ",
            "v1 x:1",
            "v1 i:",
            "v1 i:1.5",
            "v1 i:9223372036854775808",
            "v1 t:%",
            "v1 t:%f",
            "v1 t:%zz",
            "v1 t:%ff",
            "v1 b:0",
            "v1 b:zz",
            "v1 b:é",
            "v1 n  n",
            "v1 r:",
            "i:1",
        ] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }

    fn any_cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            Just(Cell::Null),
            any::<i64>().prop_map(Cell::Int),
            any::<f64>().prop_filter("NaN equals nothing", |real| !real.is_nan()).prop_map(Cell::Real),
            any::<String>().prop_map(Cell::Text),
            any::<Vec<u8>>().prop_map(Cell::Bytes),
        ]
    }

    proptest! {
        #[test]
        fn every_list_reads_back(cells in prop::collection::vec(any_cell(), 0..6)) {
            let text = encode(&cells);
            prop_assert!(!text.contains('\0'), "PostgreSQL cannot store it");
            prop_assert_eq!(decode(&text), Ok(cells));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(v1)?[ nirtb:%0-9a-f.é-]{0,40}") {
            let _ = decode(&text);
        }
    }
}
