//! The syntaxes of Kubernetes that a value must follow before it may stand in a manifest.

/// `a-z`, `0-9` and `-`, at most 63, as in a namespace.
pub(crate) fn is_label_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Such names joined by dots, at most 253, as in most objects' names.
pub(crate) fn is_object_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label_name)
}

/// The value of a label: empty, or at most 63 of letters, digits, `-`, `_`, `.`, with letters or digits at its ends.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_plain_name(text)
}

/// The key of a label or annotation: a name, with or without a domain before a slash.
pub(crate) fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => is_object_name(domain) && is_plain_name(name),
        None => is_plain_name(text),
    }
}

fn is_plain_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last())
}

/// A quantity such as `250m`, `0.5`, `64Mi`.
pub(crate) fn is_quantity(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let (whole, rest) = (text.len() - digits.len(), digits);
    let (rest, fraction) = match rest.strip_prefix('.') {
        Some(after) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            (rest, after.len() - rest.len())
        }
        None => (rest, 1),
    };
    let units = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    whole > 0 && fraction > 0 && units.contains(&rest)
}

/// Five fields of a cron schedule, or one of the macros Kubernetes knows.
pub(crate) fn is_schedule(text: &str) -> bool {
    let macros = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
    let field =
        |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | ',' | '-' | '?'));
    macros.contains(&text) || {
        let fields: Vec<&str> = text.split(' ').collect();
        fields.len() == 5 && fields.iter().all(|text_of| !text_of.is_empty() && field(text_of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_would_refuse_is_refused_here() {
        let check = |name: &str, rule: fn(&str) -> bool, good: &[&str], bad: &[&str]| {
            good.iter().for_each(|text| assert!(rule(text), "{name} should take {text:?}"));
            bad.iter().for_each(|text| assert!(!rule(text), "{name} should refuse {text:?}"));
        };
        let (limit, long) = ("a".repeat(63), "a".repeat(64));
        check("label name", is_label_name, &["a", "a-1", &limit], &["", "-a", "a-", "A", "a.b", "a_b", &long]);
        check("object name", is_object_name, &["a", "a.b-c.d"], &["", "a..b", ".a", "A", "a/b"]);
        check("label value", is_label_value, &["", "a", "A_b.c-1"], &["-a", "a-", "a b", "ä", &long]);
        check("key", is_key, &["a", "x.y/Z_1"], &["", "/a", "a/", "X.y/a", "a/b/c", "a b"]);
        check(
            "quantity",
            is_quantity,
            &["1", "50m", "0.5", "64Mi", "1G"],
            &["", "m", "1.", ".5", "-1", "1 Gi", "64MB", "1e"],
        );
        check(
            "schedule",
            is_schedule,
            &["*/5 * * * *", "0 3 * * MON-FRI", "@hourly"],
            &["", "* * * *", "* * * * * *", "@often", "*/5  * * *", "a;b * * * *"],
        );
    }
}
