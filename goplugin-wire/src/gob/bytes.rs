//! Gob's scalars: variable-length integers, floats, counted bytes. `Message` reads them from one message and never past
//! its end; the `put_*` functions write them.

use crate::gob::decode::DecodeError;

/// The widest integer: one byte that says how many follow, and eight of them.
const WIDEST: usize = 9;

/// One whole gob message, read from front to back.
#[derive(Debug, Default)]
pub(crate) struct Message {
    bytes: Vec<u8>,
    at: usize,
}

impl Message {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) fn take(&mut self, length: u64) -> Result<&[u8], DecodeError> {
        let length = usize::try_from(length).map_err(|_| DecodeError::Truncated)?;
        let end = self.at.checked_add(length).ok_or(DecodeError::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(DecodeError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn uint(&mut self) -> Result<u64, DecodeError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match read_uint(rest)? {
            Some((value, used)) => {
                self.at += used;
                Ok(value)
            }
            None => Err(DecodeError::Truncated),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64, DecodeError> {
        let raw = self.uint()?;
        // The lowest bit says whether the rest is complemented.
        let magnitude = (raw >> 1) as i64;
        Ok(if raw & 1 == 1 { !magnitude } else { magnitude })
    }

    pub(crate) fn float(&mut self) -> Result<f64, DecodeError> {
        // Byte-reversed, so that the zeroes at the end of a round number become leading ones.
        Ok(f64::from_bits(self.uint()?.swap_bytes()))
    }

    /// A count and as many bytes.
    pub(crate) fn counted(&mut self) -> Result<&[u8], DecodeError> {
        let length = self.uint()?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&str, DecodeError> {
        std::str::from_utf8(self.counted()?).map_err(|_| DecodeError::NotUtf8)
    }
}

/// An unsigned integer at the front of `bytes` and how many of them it took; `None` if more are needed.
pub(crate) fn read_uint(bytes: &[u8]) -> Result<Option<(u64, usize)>, DecodeError> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((first.into(), 1)));
    }
    let width = usize::from(first.wrapping_neg());
    if width >= WIDEST {
        return Err(DecodeError::MalformedInteger);
    }
    Ok(bytes
        .get(1..=width)
        .map(|digits| (digits.iter().fold(0, |value, &digit| value << 8 | u64::from(digit)), width + 1)))
}

pub(crate) fn put_uint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
        return;
    }
    let digits = value.to_be_bytes();
    let zeroes = value.leading_zeros() as usize / 8;
    out.push((digits.len() - zeroes).wrapping_neg() as u8);
    out.extend(digits.iter().skip(zeroes));
}

pub(crate) fn put_int(out: &mut Vec<u8>, value: i64) {
    let raw = (value as u64) << 1;
    put_uint(out, if value < 0 { !raw } else { raw });
}

pub(crate) fn put_float(out: &mut Vec<u8>, value: f64) {
    put_uint(out, value.to_bits().swap_bytes());
}

pub(crate) fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(put: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out);
        out
    }

    #[test]
    fn integers_are_written_as_gos_documentation_shows_them() {
        for (value, expected) in [(0, vec![0]), (7, vec![7]), (127, vec![127]), (256, vec![0xFE, 1, 0])] {
            assert_eq!(written(|out| put_uint(out, value)), expected);
        }
        assert_eq!(written(|out| put_int(out, -129)), [0xFE, 1, 1]);
        assert_eq!(written(|out| put_float(out, 17.0)), [0xFE, 0x31, 0x40]);
    }

    #[test]
    fn a_width_above_eight_is_malformed_and_a_short_one_needs_more() {
        assert_eq!(read_uint(&[0xF7, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(DecodeError::MalformedInteger));
        assert_eq!(read_uint(&[0x80]), Err(DecodeError::MalformedInteger));
        assert_eq!(read_uint(&[0xFE, 1]), Ok(None));
        assert_eq!(read_uint(&[]), Ok(None));
    }

    proptest! {
        #[test]
        fn scalars_survive_the_round_trip(unsigned: u64, signed: i64, bits: u64) {
            let mut out = Vec::new();
            put_uint(&mut out, unsigned);
            put_int(&mut out, signed);
            put_float(&mut out, f64::from_bits(bits));
            let mut message = Message::new(out);
            prop_assert_eq!(message.uint(), Ok(unsigned));
            prop_assert_eq!(message.int(), Ok(signed));
            prop_assert_eq!(message.float().map(f64::to_bits), Ok(bits));
            prop_assert!(message.is_empty());
        }
    }
}
