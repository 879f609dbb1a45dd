//! `ChangeName`: the name of a schema change, and the names nearest to a mistyped one.

use std::{fmt, str::FromStr};

/// The name of one schema change: 1 to 63 characters of `a-z`, `0-9` and `-`, starting and ending with a letter or
/// digit, so that it can stand in Kubernetes names and SQL identifiers alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeName(String);

/// The text cannot name a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` cannot name a schema change; use 1 to 63 characters of a-z, 0-9 and -, starting and ending with a letter or digit"
)]
pub struct BadName {
    /// What stood there, cut to 80 characters.
    pub found: String,
}

impl ChangeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChangeName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good =
            (1..=63).contains(&text.len()) && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-');
        if good { Ok(Self(text.to_owned())) } else { Err(BadName { found: text.chars().take(80).collect() }) }
    }
}

impl fmt::Display for ChangeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// At most three of the `known` names that `wanted` may have meant, nearest first.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|(score, _)| *score > 0.7)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_not_fit_kubernetes_or_sql_are_refused() {
        for bad in ["", "-a", "a-", "A", "a_b", "a b", "a.b", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<ChangeName>().is_err(), "{bad}");
        }
        for good in ["a", "split-full-name", "7", &"a".repeat(63)] {
            assert_eq!(good.parse::<ChangeName>().map(|name| name.as_str() == good), Ok(true), "{good}");
        }
    }

    #[test]
    fn the_nearest_names_come_first_and_strangers_not_at_all() {
        let known = ["add-city", "split-full-name", "split-name"];
        assert_eq!(nearest("split-fullname", known), ["split-full-name", "split-name"]);
        assert!(nearest("zzz", known).is_empty());
    }
}
