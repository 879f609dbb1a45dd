//! Lengths of time in words for people: the gate's checks and the step's messages say them alike.

/// A rough length of time, in the unit a person would use.
pub(crate) fn span_of_time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{} s", seconds.max(1)),
        60..5_400 => format!("{} min", (seconds + 30) / 60),
        5_400..129_600 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_told_in_the_unit_a_person_would_use() {
        let times =
            [(0, "1 s"), (59, "59 s"), (60, "1 min"), (89 * 60, "89 min"), (90 * 60, "2 h"), (36 * 3600, "2 days")];
        for (seconds, want) in times {
            assert_eq!(span_of_time(seconds), want, "{seconds}");
        }
    }
}
