//! Events as one line of text and as one JSON object; numbers and durations as people say them.

use std::{fmt, time::Duration};

use schema_phases::Move;
use serde_json::{Map, Value, json};

use super::{BackfillView, Event, LockView};

/// `1.9 M`, `210 k`, `87`.
pub(crate) fn count(number: u64) -> String {
    let scaled = |unit: u64, letter: char| {
        let tenths = number / (unit / 10);
        if tenths >= 100 {
            format!("{} {letter}", tenths / 10)
        } else {
            format!("{}.{} {letter}", tenths / 10, tenths % 10)
        }
    };
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => scaled(1_000, 'k'),
        1_000_000..1_000_000_000 => scaled(1_000_000, 'M'),
        _ => scaled(1_000_000_000, 'G'),
    }
}

/// `about 4 min`, `about 20 s`, `about 3 h`.
pub(crate) fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..1 => "less than 1 s".to_owned(),
        seconds @ 1..100 => format!("about {seconds} s"),
        seconds @ 100..6_000 => format!("about {} min", (seconds + 30) / 60),
        seconds => format!("about {} h", (seconds + 1_800) / 3_600),
    }
}

/// Rows in a second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a rate for people is positive and small"
)]
fn a_second(rows: u64, took: Duration) -> u64 {
    (rows as f64 / took.as_secs_f64().max(0.001)) as u64
}

fn arrow(step: Move) -> String {
    format!("{} -> {}", step.from(), step.to())
}

impl fmt::Display for BackfillView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, total) = (count(self.rows_done), count(self.rows_total.max(self.rows_done)));
        write!(f, "backfill {} % {done} of {total} rows of {}", self.percent(), self.table)?;
        if let Some(why) = &self.held {
            return write!(f, ", resting: {why}");
        }
        if self.rows_per_second > 0 {
            write!(f, ", {} rows/s", count(self.rows_per_second))?;
        }
        match self.remaining() {
            Some(left) if self.rows_done < self.rows_total => write!(f, ", {}", duration(left)),
            Some(_) | None => Ok(()),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun { database, changes, plan } => {
                let plan: String = plan.as_str().chars().take(12).collect();
                let changes = if *changes == 1 { "1 change".to_owned() } else { format!("{changes} changes") };
                write!(f, "{database}: {changes} declared, plan {plan}")
            }
            Self::LockHeld { waited } => {
                write!(f, "another runner is at work on this database; waiting for it since {} s", waited.as_secs())
            }
            Self::TookOver { generation } => write!(f, "took the runner's lock, generation {generation}"),
            Self::Withdrawn { change, step } => {
                write!(f, "{change}: {}: took back an intent that a dead runner left", arrow(*step))
            }
            Self::Resumed { change, step } => {
                write!(f, "{change}: {}: goes on where a dead runner stopped", arrow(*step))
            }
            Self::Moving { change, step } => write!(f, "{change}: {}: begins", arrow(*step)),
            Self::StepDone { change, step, what } => write!(f, "{change}: {}: {what}", arrow(*step)),
            Self::LockWait { change, step, why, lock: _, tries } => {
                write!(f, "{change}: {}: {why}; tried {tries} times, goes on trying", arrow(*step))
            }
            Self::Progress { change, step, backfill } => write!(f, "{change}: {}: {backfill}", arrow(*step)),
            Self::Filled { change, step, table, rows, connections: _, took } => write!(
                f,
                "{change}: {}: {} rows of {table} took {:.2} s, {} rows/s",
                arrow(*step),
                count(*rows),
                took.as_secs_f64(),
                count(a_second(*rows, *took))
            ),
            Self::Held { change, step, why } => write!(f, "{change}: {}: the backfill rests: {why}", arrow(*step)),
            Self::Released { change, step } => write!(f, "{change}: {}: the backfill goes on", arrow(*step)),
            Self::Bloat { change, table, percent } => write!(
                f,
                "{change}: {percent} % of the rows of {table} are dead, and autovacuum is behind: run `VACUUM {table}`, or \
                 the table grows"
            ),
            Self::Reached { change, phase } => write!(f, "{change}: is {phase}"),
            Self::Blocked { change, step, by } => {
                write!(f, "{change}: {}: blocked by {}", arrow(*step), by.join("; and by "))
            }
            Self::Soaking { change, since, left } => {
                write!(f, "{change}: soaks: its old shape is hidden")?;
                since.as_ref().map_or(Ok(()), |since| write!(f, " since {since} by the server's clock"))?;
                match left {
                    Some(left) => write!(f, ", and goes in {}, with the next run after that", duration(*left))?,
                    None => f.write_str(", and goes when a commit takes `soak: held` away")?,
                }
                f.write_str("; `target: migrated` brings it back at once, with nothing lost")
            }
            Self::Checkpoint { change, path, bytes, sha256 } => {
                write!(f, "{change}: checkpoint {path}, {} bytes, sha256 {sha256}", count(*bytes))
            }
            Self::TakenBack { change, by } => {
                write!(
                    f,
                    "{change}: its old shape is back, as it would be had it never been hidden, because of {}",
                    by.join("; and of ")
                )
            }
            Self::Failed { change, why, lock: _, exit } => write!(f, "{change}: failed ({}): {why}", exit.as_str()),
            Self::Violation { version, change, span, window } => {
                write!(f, "VIOLATION: {version} runs outside its window: {change} is {span}, and it needs {window}")
            }
            Self::Vanished { change, span } => write!(
                f,
                "{change}: is {span} and no longer in Git; it stays as it is: restore its file, or revert it to pending \
                 before removing it"
            ),
            Self::Forgotten { change } => write!(f, "{change}: was pending and is no longer in Git; forgotten"),
            Self::Retrying { why, after } => write!(f, "{why}; trying again in {} ms", after.as_millis()),
            Self::Superseded { wanted } => {
                let wanted: String = wanted.as_str().chars().take(12).collect();
                write!(f, "superseded: Git wants the plan {wanted} by now, and its own run does that")
            }
            Self::Finished { exit, database, reached, blocked, failed, violations, soaking, because } => {
                write!(f, "{database}: {}: {reached} as Git asks, {blocked} blocked, {failed} failed", exit.as_str())?;
                if *soaking > 0 {
                    write!(f, ", {soaking} soaking")?;
                }
                match violations {
                    0 => {}
                    1 => f.write_str(", 1 VIOLATION")?,
                    more => write!(f, ", {more} VIOLATIONS")?,
                }
                because.as_ref().map_or(Ok(()), |because| write!(f, " ({because})"))
            }
        }
    }
}

impl Event {
    /// The word for it in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Begun { .. } => "begun",
            Self::LockHeld { .. } => "lock_held",
            Self::TookOver { .. } => "took_over",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Resumed { .. } => "resumed",
            Self::Moving { .. } => "moving",
            Self::StepDone { .. } => "step_done",
            Self::LockWait { .. } => "lock_wait",
            Self::Progress { .. } => "progress",
            Self::Filled { .. } => "filled",
            Self::Held { .. } => "held",
            Self::Released { .. } => "released",
            Self::Bloat { .. } => "bloat",
            Self::Reached { .. } => "reached",
            Self::Blocked { .. } => "blocked",
            Self::Soaking { .. } => "soaking",
            Self::Checkpoint { .. } => "checkpoint",
            Self::TakenBack { .. } => "taken_back",
            Self::Failed { .. } => "failed",
            Self::Violation { .. } => "violation",
            Self::Vanished { .. } => "vanished",
            Self::Forgotten { .. } => "forgotten",
            Self::Retrying { .. } => "retrying",
            Self::Superseded { .. } => "superseded",
            Self::Finished { .. } => "finished",
        }
    }

    /// The event as one JSON object: `event`, `message`, and its data.
    pub fn to_json(&self) -> Value {
        let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let micros = |time: &Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let moving = |change: &dyn fmt::Display, step: &Move| json!({"change": change.to_string(), "from": step.from().as_str(), "to": step.to().as_str()});
        let data = match self {
            Self::Begun { database, changes, plan } => {
                json!({"database": database, "changes": changes, "plan": plan.as_str()})
            }
            Self::LockHeld { waited } => json!({"waited_ms": millis(waited)}),
            Self::TookOver { generation } => json!({"generation": generation}),
            Self::Withdrawn { change, step }
            | Self::Resumed { change, step }
            | Self::Moving { change, step }
            | Self::Released { change, step } => moving(change, step),
            Self::Filled { change, step, table, rows, connections, took } => with(
                moving(change, step),
                json!({"table": table, "rows": rows, "connections": connections, "took_us": micros(took)}),
            ),
            Self::Held { change, step, why } => with(moving(change, step), json!({"why": why})),
            Self::Bloat { change, table, percent } => {
                json!({"change": change.as_str(), "table": table, "dead_percent": percent})
            }
            Self::StepDone { change, step, what } => with(moving(change, step), json!({"what": what})),
            Self::LockWait { change, step, why, lock: LockView { table, held_by }, tries } => {
                with(moving(change, step), json!({"why": why, "table": table, "held_by": held_by, "tries": tries}))
            }
            Self::Progress { change, step, backfill } => with(
                moving(change, step),
                json!({
                    "table": backfill.table,
                    "percent": backfill.percent(),
                    "rows_done": backfill.rows_done,
                    "rows_total": backfill.rows_total,
                    "rows_per_second": backfill.rows_per_second,
                    "remaining_s": backfill.remaining().map(|left| left.as_secs()),
                    "held": backfill.held,
                }),
            ),
            Self::Reached { change, phase } => json!({"change": change.as_str(), "phase": phase.as_str()}),
            Self::Blocked { change, step, by } => with(moving(change, step), json!({"by": by})),
            Self::Soaking { change, since, left } => {
                json!({"change": change.as_str(), "since": since, "left_s": left.map(|left| left.as_secs())})
            }
            Self::Checkpoint { change, path, bytes, sha256 } => {
                json!({"change": change.as_str(), "path": path, "bytes": bytes, "sha256": sha256})
            }
            Self::TakenBack { change, by } => json!({"change": change.as_str(), "by": by}),
            Self::Failed { change, why, lock, exit } => {
                let failed = json!({"change": change.as_str(), "why": why, "exit": exit.as_str()});
                match lock {
                    Some(LockView { table, held_by }) => with(failed, json!({"table": table, "held_by": held_by})),
                    None => failed,
                }
            }
            Self::Violation { version, change, span, window } => json!({
                "version": version,
                "change": change.as_str(),
                "span": span.to_string(),
                "window": window.to_string(),
            }),
            Self::Vanished { change, span } => json!({"change": change.as_str(), "span": span.to_string()}),
            Self::Forgotten { change } => json!({"change": change.as_str()}),
            Self::Retrying { why, after } => json!({"why": why, "after_ms": millis(after)}),
            Self::Superseded { wanted } => json!({"wanted": wanted.as_str()}),
            Self::Finished { exit, database, reached, blocked, failed, violations, soaking, because } => json!({
                "exit": exit.code(),
                "database": database,
                "reached": reached,
                "blocked": blocked,
                "failed": failed,
                "violations": violations,
                "soaking": soaking,
                "because": because,
            }),
        };
        with(json!({"event": self.kind(), "message": self.to_string()}), data)
    }
}

fn with(first: Value, second: Value) -> Value {
    let mut both = Map::new();
    for value in [first, second] {
        if let Value::Object(fields) = value {
            both.extend(fields);
        }
    }
    Value::Object(both)
}

#[cfg(test)]
mod tests {
    use schema_phases::SchemaPhase;

    use super::*;

    #[test]
    fn numbers_read_as_people_say_them() {
        let rows = [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0 k"),
            (1_949, "1.9 k"),
            (210_000, "210 k"),
            (1_900_000, "1.9 M"),
            (3_000_000_000, "3.0 G"),
        ];
        for (number, want) in rows {
            assert_eq!(count(number), want);
        }
        let rows =
            [(0, "less than 1 s"), (1, "about 1 s"), (99, "about 99 s"), (240, "about 4 min"), (7_200, "about 2 h")];
        for (seconds, want) in rows {
            assert_eq!(duration(Duration::from_secs(seconds)), want);
        }
    }

    #[test]
    fn a_line_of_progress_says_how_far_how_fast_and_how_long() {
        let event = Event::Progress {
            change: "split-full-name".parse().unwrap(),
            step: Move::new(SchemaPhase::Synced, SchemaPhase::Migrated).unwrap(),
            backfill: BackfillView {
                table: "customers".into(),
                rows_done: 1_900_000,
                rows_total: 3_000_000,
                rows_per_second: 4_500,
                held: None,
            },
        };
        assert_eq!(
            event.to_string(),
            "split-full-name: synced -> migrated: backfill 63 % 1.9 M of 3.0 M rows of customers, 4.5 k rows/s, about 4 min"
        );
        let json = event.to_json();
        assert_eq!(json["event"], "progress");
        assert_eq!(json["percent"], 63);
        assert_eq!(json["message"], event.to_string());
    }

    #[test]
    fn a_backfill_is_not_whole_before_its_last_row() {
        let view = |rows_done, rows_total| BackfillView {
            table: "t".into(),
            rows_done,
            rows_total,
            rows_per_second: 0,
            held: None,
        };
        assert_eq!(view(999_999, 1_000_000).percent(), 99);
        assert_eq!(view(1_000_000, 1_000_000).percent(), 100);
        assert_eq!(view(0, 0).percent(), 0);
        assert_eq!(view(5, 0).percent(), 100);
    }
}
