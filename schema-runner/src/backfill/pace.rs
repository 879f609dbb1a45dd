//! How many rows a batch has: as many as take 25 to 50 ms, since a writer who meets a batch waits for it.

use std::time::Duration;

const FIRST: u64 = 500;
const SMALLEST: u64 = 20;
const LARGEST: u64 = 20_000;

/// The size of the next batch, and the rate of the last ones.
#[derive(Debug)]
pub(crate) struct Pace {
    aim: Duration,
    size: u64,
    last: Duration,
    rate: f64,
}

impl Pace {
    /// Batches that take about `aim`.
    pub(crate) fn new(aim: Duration) -> Self {
        Self { aim, size: FIRST, last: Duration::ZERO, rate: 0.0 }
    }

    /// Rows in the next batch.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// How long the last batch took.
    pub(crate) fn last(&self) -> Duration {
        self.last
    }

    /// Rows per second, pauses included; 0 before the first batch.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and small")]
    pub(crate) fn rate(&self) -> u64 {
        self.rate as u64
    }

    /// A batch of the current size took this long: the next one is nearer to the aim, by at most a factor of two.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sizes stay between SMALLEST and LARGEST"
    )]
    pub(crate) fn took(&mut self, time: Duration) {
        self.last = time;
        let factor = (self.aim.as_secs_f64() / time.as_secs_f64().max(0.000_1)).clamp(0.5, 2.0);
        self.size = ((self.size as f64 * factor) as u64).clamp(SMALLEST, LARGEST);
    }

    /// So many rows went by in this time.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(crate) fn passed(&mut self, rows: u64, time: Duration) {
        let now = rows as f64 / time.as_secs_f64().max(0.000_1);
        self.rate = if self.rate == 0.0 { now } else { self.rate.mul_add(0.8, now * 0.2) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_come_to_take_what_they_aim_at_and_back_off_when_rows_get_slow() {
        let mut pace = Pace::new(Duration::from_millis(35));
        let settle = |pace: &mut Pace, micros_a_row: u64| {
            for _ in 0..20 {
                pace.took(Duration::from_micros(pace.size() * micros_a_row));
            }
            Duration::from_micros(pace.size() * micros_a_row).as_millis()
        };
        assert!((30..=40).contains(&settle(&mut pace, 10)));
        assert!((30..=40).contains(&settle(&mut pace, 100)));
        assert_eq!(settle(&mut pace, 100_000), 2_000, "never below the smallest batch");
        assert_eq!(settle(&mut pace, 0), 0);
        assert_eq!(pace.size(), LARGEST);
    }
}
