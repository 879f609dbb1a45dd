//! What every question to Prometheus must be, whoever asks it.

/// A question as it was written.
pub(crate) struct Question<'a> {
    pub(crate) name: &'a str,
    pub(crate) server: Option<&'a str>,
    pub(crate) query: &'a str,
    pub(crate) at_most: Option<f64>,
    pub(crate) at_least: Option<f64>,
}

const LONGEST_QUERY: usize = 4_000;

/// Tells `add` of each field that is wrong, with what and the remedy.
pub(crate) fn check(question: &Question<'_>, mut add: impl FnMut(&'static str, String, &str)) {
    let Question { name, server, query, at_most, at_least } = *question;
    let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    for (field, word) in [("name", Some(name)), ("server", server)] {
        let good = |word: &&str| (1..=40).contains(&word.len()) && word.chars().all(label);
        if let Some(word) = word.filter(|word| !good(word)) {
            let start: String = word.chars().take(60).collect();
            add(field, format!("`{start}` is no name"), "use 1 to 40 characters of a-z, 0-9 and -");
        }
    }
    if query.trim().is_empty() || query.len() > LONGEST_QUERY {
        add("query", format!("it has {} characters", query.len()), "write PromQL of at most 4000 characters");
    }
    match (at_most, at_least) {
        (None, None) => add("atMost", "neither a bound above nor one below is set".into(), "add atMost or atLeast"),
        (Some(most), Some(least)) if least > most => {
            add("atLeast", format!("{least} is above atMost, {most}"), "exchange the two");
        }
        (Some(_) | None, Some(_) | None) => {}
    }
    for (field, bound) in [("atMost", at_most), ("atLeast", at_least)] {
        if bound.is_some_and(|bound| !bound.is_finite()) {
            add(field, "it is no finite number".into(), "write digits");
        }
    }
}
