//! `spec.soak`: for how long the old shape stays hidden before it goes.

use std::time::Duration;

use crate::{Soak, declared::Complaints, refactoring::Refactoring};

const HELD: &str = "held";
const LONGEST_DAYS: u64 = 3_650;

/// The soak, unless there is nothing that could be hidden.
pub(crate) fn check_soak(
    complaints: &mut Complaints<'_>,
    text: Option<&str>,
    refactoring: Option<&Refactoring>,
) -> Option<Soak> {
    let text = text?;
    let path = ["spec", "soak"];
    if refactoring.is_some_and(|refactoring| !refactoring.hides()) {
        complaints.add(&path, "this change hides nothing: its contract takes no column away", "remove it");
        return None;
    }
    let soak = read(text);
    if soak.is_none() {
        complaints.add(
            &path,
            format!("`{}` is no time to soak", text.chars().take(32).collect::<String>()),
            "write a number and a unit (30m, 12h, 7d), or `held`: until a commit takes the line away",
        );
    }
    soak
}

fn read(text: &str) -> Option<Soak> {
    if text == HELD {
        return Some(Soak::Held);
    }
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let seconds = match text.strip_prefix(digits.as_str())? {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let whole = digits.parse::<u64>().ok()?.checked_mul(seconds)?;
    (whole <= LONGEST_DAYS * 86_400).then(|| Soak::For(Duration::from_secs(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_or_refused() {
        let seconds = |n| Some(Soak::For(Duration::from_secs(n)));
        for (text, want) in [
            ("held", Some(Soak::Held)),
            ("0s", seconds(0)),
            ("90s", seconds(90)),
            ("30m", seconds(1_800)),
            ("12h", seconds(43_200)),
            ("7d", seconds(604_800)),
            ("", None),
            ("h", None),
            ("1", None),
            ("-1h", None),
            ("1.5h", None),
            ("1 h", None),
            ("99999999999999999999d", None),
            ("4000d", None),
            ("Held", None),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }
}
