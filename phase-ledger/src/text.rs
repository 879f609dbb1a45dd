//! Small rules about text that more than one file needs: percent encoding, cutting, and what a statement begins with.

/// Undoes percent encoding; `None` when a `%` is not followed by two hexadecimal digits.
pub(crate) fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { nibble(bytes.next()?)? << 4 | nibble(bytes.next()?)? } else { byte });
    }
    Some(decoded)
}

/// The value of one hexadecimal digit.
pub(crate) const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A statement for a message: one line, and no longer than `limit` characters.
pub(crate) fn shortened(sql: &str, limit: usize) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(limit) {
        Some((cut, _)) => format!("{}...", line.get(..cut).unwrap_or_default()),
        None => line,
    }
}
