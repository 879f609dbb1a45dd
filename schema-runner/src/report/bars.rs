//! Events on a terminal: coloured lines, and a bar while rows are filled.

use std::sync::{Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Event, Report, count, duration};

/// Lines and bars on standard error's terminal.
#[derive(Default)]
pub struct Bars(Mutex<Option<ProgressBar>>);

impl Bars {
    fn advance(bar: &mut Option<ProgressBar>, event: &Event) -> bool {
        let Event::Progress { change, step, backfill } = event else { return false };
        let bar = bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(backfill.rows_total);
            let template = "  {prefix} [{bar:30.cyan/dim}] {percent:>3} % {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(format!("{change} -> {}", step.to()));
            bar
        });
        bar.set_length(backfill.rows_total.max(backfill.rows_done));
        bar.set_position(backfill.rows_done);
        let left = backfill.remaining().map(|left| format!(", {}", duration(left))).unwrap_or_default();
        let (done, total) = (count(backfill.rows_done), count(backfill.rows_total.max(backfill.rows_done)));
        bar.set_message(match &backfill.held {
            Some(why) => format!("{done} of {total} rows, resting: {why}"),
            None => format!("{done} of {total} rows, {} rows/s{left}", count(backfill.rows_per_second)),
        });
        true
    }
}

const fn style(event: &Event) -> Style {
    let colour = match event {
        Event::Reached { .. } => AnsiColor::Green,
        Event::Blocked { .. }
        | Event::LockWait { .. }
        | Event::Held { .. }
        | Event::Bloat { .. }
        | Event::Retrying { .. }
        | Event::Vanished { .. }
        | Event::Soaking { .. }
        | Event::TakenBack { .. } => AnsiColor::Yellow,
        Event::Violation { .. } | Event::Failed { .. } => return AnsiColor::Red.on_default().bold(),
        Event::Finished { .. } | Event::Superseded { .. } => return Style::new().bold(),
        Event::Begun { .. }
        | Event::LockHeld { .. }
        | Event::TookOver { .. }
        | Event::Withdrawn { .. }
        | Event::Resumed { .. }
        | Event::Moving { .. }
        | Event::StepDone { .. }
        | Event::Progress { .. }
        | Event::Filled { .. }
        | Event::Checkpoint { .. }
        | Event::Released { .. }
        | Event::Forgotten { .. } => return Style::new(),
    };
    colour.on_default()
}

impl Report for Bars {
    fn tell(&self, event: &Event) {
        let mut bar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if Self::advance(&mut bar, event) {
            return;
        }
        if let Some(bar) = bar.take() {
            bar.finish_and_clear();
        }
        let style = style(event);
        let mut out = std::io::stdout().lock();
        // A closed terminal must not end a migration.
        let _ = std::io::Write::write_fmt(&mut out, format_args!("{style}{event}{style:#}\n"));
    }
}
