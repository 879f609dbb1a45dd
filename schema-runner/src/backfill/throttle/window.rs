//! Nights only: a daily window, in UTC.

use schema_changes::DailyWindow;
use schema_phases::Moment;

const MINUTES_A_DAY: u64 = 24 * 60;

/// Why the moment is outside of the window, if it is.
pub(super) fn outside(window: DailyWindow, now: Moment) -> Option<String> {
    let minute = now.unix_millis() / 60_000 % MINUTES_A_DAY;
    let DailyWindow { from, to } = window;
    let (first, last) = (u64::from(from), u64::from(to));
    // It may go over midnight.
    let inside = if first <= last { (first..last).contains(&minute) } else { minute >= first || minute < last };
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    (!inside).then(|| format!("it works from {} to {} UTC only", clock(from), clock(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_go_over_midnight_and_ends_before_its_end() {
        let rows = [
            ((60, 120), 60, true),
            ((60, 120), 119, true),
            ((60, 120), 120, false),
            ((60, 120), 59, false),
            ((1_320, 360), 1_319, false),
            ((1_320, 360), 1_320, true),
            ((1_320, 360), 1_439, true),
            ((1_320, 360), 0, true),
            ((1_320, 360), 359, true),
            ((1_320, 360), 360, false),
        ];
        for ((from, to), minute, inside) in rows {
            for day in [0, 20_000] {
                let now = Moment::from_unix_millis((day * MINUTES_A_DAY + minute) * 60_000 + 59_999);
                let why = outside(DailyWindow { from, to }, now);
                assert_eq!(why.is_none(), inside, "{from}..{to} at {minute}: {why:?}");
            }
        }
        let why = outside(DailyWindow { from: 1_320, to: 365 }, Moment::from_unix_millis(12 * 3_600_000));
        assert_eq!(why.as_deref(), Some("it works from 22:00 to 06:05 UTC only"));
    }
}
