//! The text shown in the Rollout: the live phase, what each version needs, and what happens next. Pure.

use std::{fmt::Write, time::Duration};

use phase_ledger::{BackfillProgress, LedgerEntry};
use schema_phases::{LiveChange, Move, PhaseWindow, Reason, SchemaPhase, Span};

use super::status::StepStatus;
use crate::{
    gate::{AskingRollout, DatabaseSeen, PlanSight, View},
    span_of_time::span_of_time,
};

/// Argo copies the message into the Rollout and logs it with every patch.
const LONGEST: usize = 1000;
/// Reasons told in full; a version behind ten changes is behind the first of them.
const MOST_CLAUSES: usize = 4;

/// Why the canary may go on.
pub fn proceed(view: &View, reasons: &[Reason]) -> String {
    let known: Vec<String> =
        view.databases.iter().flat_map(|database| met(database, &view.canary, view.databases.len() > 1)).collect();
    let mut text = format!("{} may go on: ", view.canary);
    text.push_str(&if known.is_empty() { "no schema change concerns it".to_owned() } else { joined(&known) });
    for reason in reasons.iter().filter(|reason| **reason != Reason::Fits) {
        let _ = write!(text, "; {}, and {} is the way out", clause(reason, view), view.canary);
    }
    clipped(&text)
}

/// Why the canary waits, and for what.
pub fn wait(view: &View, reasons: &[Reason], requeue: Duration) -> String {
    let mut text = told(view, reasons);
    for note in view.databases.iter().filter_map(|database| database.note.as_ref()) {
        let _ = write!(text, ". {note}");
    }
    if let Some(next) = reasons.iter().find_map(|reason| next(reason, view)) {
        let _ = write!(text, ". {next}");
    }
    if view.overdue {
        let _ = write!(text, ". It has waited for {}: somebody should look", span_of_time(view.waited.as_secs()));
    }
    let asked = match &view.stable {
        Some(stable) => format!(". {stable} keeps serving; asked again every {} s", requeue.as_secs()),
        None => format!(". Asked again every {} s", requeue.as_secs()),
    };
    text.push_str(&asked);
    clipped(&text)
}

/// Why the canary can never go on, and what does go on.
pub fn refuse(view: &View, reasons: &[Reason], rollout: &AskingRollout) -> String {
    let canary = &view.canary;
    let stable = view.stable.as_deref().unwrap_or("the stable version");
    let mut text = format!(
        "{canary} is refused: {}. {stable} keeps serving. Nothing resumes this by itself: ",
        told(view, reasons)
    );
    let outlived =
        reasons.iter().find_map(|reason| if let Reason::Outlived(it) = reason { Some(&it.change) } else { None });
    let by_check = reasons.iter().any(|reason| matches!(reason, Reason::CheckFailed { .. } | Reason::Overdue { .. }));
    let _ = match outlived {
        _ if by_check => write!(text, "when that is cured, push a new revision or retry this one with"),
        Some(change) => write!(text, "push, as a new revision, a version built for the new shape of {change}"),
        None => write!(
            text,
            "push, as a new revision, a version between the two, whose window meets that of {stable} and of {canary}"
        ),
    };
    let retry = format!("`kubectl argo rollouts retry rollout {} -n {}`", rollout.name, rollout.namespace);
    let _ =
        if by_check { write!(text, " {retry}") } else { write!(text, "; {retry} only asks the same question again") };
    clipped(&text)
}

/// Why nothing could be decided.
pub fn undecided(view: &View, reasons: &[Reason], hint: Option<&StepStatus>) -> String {
    let mut text = format!("undecided: {}", told(view, reasons));
    if let Some(seen) = hint.and_then(|hint| hint.last_seen(view.at)) {
        let _ = write!(text, ". {seen}");
    }
    if let Some(stable) = &view.stable {
        let _ = write!(text, ". {stable} keeps serving");
    }
    text.push_str(". Argo asks again in about 30 s");
    clipped(&text)
}

/// Cuts to what Argo should carry, and takes control characters out: parts of the text come from annotations.
pub fn clipped(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.len() <= LONGEST {
        return clean;
    }
    let room = LONGEST - "…".len();
    let mut cut: String =
        clean.char_indices().take_while(|(at, c)| at + c.len_utf8() <= room).map(|(_, c)| c).collect();
    cut.push('…');
    cut
}

fn told(view: &View, reasons: &[Reason]) -> String {
    joined(&reasons.iter().map(|reason| clause(reason, view)).collect::<Vec<_>>())
}

fn joined(clauses: &[String]) -> String {
    let mut text = clauses.iter().take(MOST_CLAUSES).map(String::as_str).collect::<Vec<_>>().join(". ");
    if clauses.len() > MOST_CLAUSES {
        let _ = write!(text, ". And {} more", clauses.len() - MOST_CLAUSES);
    }
    text
}

/// One reason. The reasons that name a change also tell how far its backfill is; the others speak for themselves.
fn clause(reason: &Reason, view: &View) -> String {
    let (misfit, needs) = match reason {
        Reason::SchemaBehind(it) => (it, format!("needs {}", it.window.first())),
        Reason::SchemaAhead(it) | Reason::Outlived(it) => (it, format!("works only until {}", it.window.last())),
        Reason::Fits
        | Reason::NoCommonPhase { .. }
        | Reason::StableStranded(_)
        | Reason::CanaryUnclear(_)
        | Reason::StableUnclear(_)
        | Reason::NotBegun { .. }
        | Reason::NoDatabase
        | Reason::CheckPending { .. }
        | Reason::CheckFailed { .. }
        | Reason::Unseen { .. } => return reason.to_string(),
        Reason::Overdue { waited } => {
            return format!("it has waited for {}, longer than its step allows", span_of_time(waited.as_secs()));
        }
    };
    let found = view.databases.iter().find_map(|database| {
        let entry = database.ledger.as_ref()?.change(&misfit.change)?;
        (entry.span == misfit.span).then_some((database, entry))
    });
    let at = found.map_or_else(|| misfit.span.to_string(), |(_, entry)| standing(entry));
    let prefix = found
        .filter(|_| view.databases.len() > 1)
        .map_or_else(String::new, |(database, _)| format!("{}: ", database.name));
    format!("{prefix}{} is {at}; {} {needs}", misfit.change, misfit.version)
}

/// Where a change stands, with the progress of a backfill.
fn standing(entry: &LedgerEntry) -> String {
    let (phase, step) = match entry.span {
        Span::AtRest(SchemaPhase::Contracted) => return "contracted for good".to_owned(),
        Span::AtRest(phase) => (phase, None),
        Span::Intended(step) => return format!("{}, about to move to {}", step.from(), step.to()),
        Span::Acting(step) if entry.is_hidden() => {
            return format!("{}, with its old shape hidden and still to be brought back", step.from());
        }
        Span::Acting(step) => (step.from(), Some(step)),
    };
    match (&entry.backfill, step) {
        (Some(backfill), Some(_)) => format!("{phase}, {}", progress(backfill)),
        (None, Some(step)) => format!("{phase}, moving to {}", step.to()),
        (_, None) => phase.to_string(),
    }
}

/// `backfill 63 % (1.9 M of 3.0 M rows, about 4 min)`.
fn progress(backfill: &BackfillProgress) -> String {
    let (done, total) = (backfill.rows_done, backfill.rows_total);
    // The total is an estimate, and rows may have been added: what still runs is never told as done.
    let percent = if total == 0 { 0 } else { (u128::from(done) * 100 / u128::from(total)).min(99) };
    let mut text = format!("backfill {percent} % ({} of {} rows", rows(done), rows(total.max(done)));
    if let Some(why) = &backfill.held {
        let _ = write!(text, ", resting: {why})");
        return text;
    }
    if let Some(seconds) = total.saturating_sub(done).checked_div(backfill.rows_per_second).filter(|_| done < total) {
        let _ = write!(text, ", about {}", span_of_time(seconds));
    }
    text.push(')');
    text
}

/// `950`, `12.3 k`, `1.9 M`, `3.0 G`.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn rows(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{:.1} k", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", count as f64 / 1e6),
        _ => format!("{:.1} G", count as f64 / 1e9),
    }
}

/// What happens next, where that is not plain from the reason itself.
fn next(reason: &Reason, view: &View) -> Option<String> {
    let sentence = match reason {
        Reason::SchemaBehind(it) => match it.span {
            Span::Acting(step) if step.is_forward() => "Its runner is at work".to_owned(),
            Span::Acting(step) => format!("It is being reverted to {}", step.to()),
            Span::Intended(step) => intent(step),
            Span::AtRest(_) if plan_of(view, reason) == PlanSight::Another => {
                "The run of the plan that Git wants now has not begun".to_owned()
            }
            // What became of its Job says more.
            Span::AtRest(_) if noted(view) => return None,
            Span::AtRest(_) => {
                "No move is under way: `phasegate status` and the log of the Job say what it waits for".to_owned()
            }
        },
        Reason::SchemaAhead(it) => match it.span {
            Span::Acting(step) if !step.is_forward() => "It is on its way back".to_owned(),
            Span::Acting(_) => {
                format!("{} will not suit this schema: push one built for the new shape of {}", it.version, it.change)
            }
            Span::Intended(step) => intent(step),
            Span::AtRest(_) => format!("Revert {}, or push a version built for its new shape", it.change),
        },
        Reason::NoCommonPhase { .. } => "Push a version between the two, which can live with both".to_owned(),
        Reason::NotBegun { .. } => "Its first run makes the ledger".to_owned(),
        Reason::CanaryUnclear(_) => "Correct the annotation, or sync the change it names".to_owned(),
        Reason::Fits
        | Reason::Outlived(_)
        | Reason::StableStranded(_)
        | Reason::StableUnclear(_)
        | Reason::NoDatabase
        | Reason::CheckPending { .. }
        | Reason::CheckFailed { .. }
        | Reason::Overdue { .. }
        | Reason::Unseen { .. } => return None,
    };
    Some(sentence)
}

/// The gate cannot tell a runner that is about to act from one that died: it says what becomes of either's intent.
fn intent(step: Move) -> String {
    format!(
        "The move to {} is announced and not begun; if its runner died, the next run takes the announcement back",
        step.to()
    )
}

/// Whether something is said of a database besides its ledger.
fn noted(view: &View) -> bool {
    view.databases.iter().any(|database| database.note.is_some())
}

fn plan_of(view: &View, reason: &Reason) -> PlanSight {
    let Reason::SchemaBehind(it) = reason else { return PlanSight::Unknown };
    let holds =
        |database: &&DatabaseSeen| database.ledger.as_ref().is_some_and(|ledger| ledger.change(&it.change).is_some());
    view.databases.iter().find(holds).map_or(PlanSight::Unknown, |database| database.plan)
}

/// The changes that the canary names or that bound it, as they are.
fn met(database: &DatabaseSeen, canary: &str, several: bool) -> Vec<String> {
    let Some(ledger) = &database.ledger else { return Vec::new() };
    let changes: Vec<LiveChange> = ledger.live_changes();
    let Ok(windows) = database.canary.windows(&changes) else { return Vec::new() };
    let prefix = if several { format!("{}: ", database.name) } else { String::new() };
    let mut told: Vec<(PhaseWindow, String)> = ledger
        .changes
        .iter()
        .zip(windows)
        .filter(|(_, window)| *window != PhaseWindow::WHOLE)
        .map(|(entry, window)| {
            (window, format!("{prefix}{} is {}, inside {window} of {canary}", entry.profile.name, standing(entry)))
        })
        .collect();
    // What the canary was built for comes before what merely does not harm it yet.
    told.sort_by_key(|(window, _)| window.first() == SchemaPhase::Pending);
    told.into_iter().map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests;
