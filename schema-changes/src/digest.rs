//! Digests: of a plan, and of what a change does.

use std::{collections::BTreeMap, fmt::Write};

use sha2::{Digest, Sha256};

/// SHA-256, as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The digest of named texts. Each is preceded by its length, so that no two sets of texts look alike.
pub(crate) fn of_texts(texts: &BTreeMap<String, String>) -> String {
    let mut bytes = Vec::new();
    for text in texts.iter().flat_map(|(name, content)| [name, content]) {
        bytes.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[(&str, &str)]) -> String {
        of_texts(&texts.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
    }

    #[test]
    fn a_digest_is_sha256() {
        assert_eq!(hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn moving_text_between_names_and_contents_changes_the_digest() {
        let all = [of(&[("a", "bc")]), of(&[("ab", "c")]), of(&[("a", "b"), ("c", "")]), of(&[("a", "b"), ("", "c")])];
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
