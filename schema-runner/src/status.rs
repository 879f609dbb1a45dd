//! `phasegate status`: what the ledger says, for people and for programs.

use phase_ledger::{HIDDEN, LedgerEntry, LedgerState, Reading};
use schema_phases::Span;
use serde_json::{Value, json};

use crate::report::BackfillView;

/// How a table is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// No escape codes.
    Plain,
    /// Colours.
    Colour,
}

/// The ledger as a table.
pub fn table(reading: &Reading, ink: Ink) -> String {
    let Reading::Ledger(state) = reading else {
        return "no ledger: no run has begun on this database\n".to_owned();
    };
    let plan = state.plan.as_ref().map_or("none", |plan| plan.as_str().get(..12).unwrap_or_default());
    let mut rows = vec![["CHANGE", "PHASE", "OLD SHAPE WORKS", "NEW SHAPE WORKS", "WHAT HAPPENS"].map(str::to_owned)];
    rows.extend(state.changes.iter().map(|entry| {
        [
            entry.profile.name.to_string(),
            entry.span.at().to_string(),
            entry.profile.old_window.to_string(),
            entry.profile.new_window.to_string(),
            happens(entry),
        ]
    }));
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let mut text = format!("generation {}, plan {plan}, server {}\n\n", state.generation.0, state.server.0);
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        let style = index.checked_sub(1).and_then(|index| state.changes.get(index)).map(|entry| style(entry.span));
        let line = line.trim_end();
        match (ink, style) {
            (Ink::Colour, Some(style)) => text.push_str(&format!("{style}{line}{style:#}\n")),
            (Ink::Colour | Ink::Plain, _) => text.push_str(&format!("{line}\n")),
        }
    }
    if state.changes.is_empty() {
        text.push_str("(no changes)\n");
    }
    if let Some(paused) = &state.paused {
        text.push_str(&format!("\nbackfills are paused by {paused}; `phasegate resume` lets them go on\n"));
    }
    text
}

fn style(span: Span) -> anstyle::Style {
    use schema_phases::SchemaPhase::{Contracted, Expanded, Migrated, Pending, Synced};
    match span {
        Span::AtRest(Migrated | Contracted) => anstyle::AnsiColor::Green.on_default(),
        Span::AtRest(Pending) => anstyle::Style::new().dimmed(),
        Span::AtRest(Expanded | Synced) => anstyle::AnsiColor::Cyan.on_default(),
        Span::Intended(_) | Span::Acting(_) => anstyle::AnsiColor::Yellow.on_default(),
    }
}

fn view(entry: &LedgerEntry) -> Option<BackfillView> {
    entry.backfill.as_ref().map(|progress| BackfillView {
        table: entry.profile.tables.iter().cloned().collect::<Vec<_>>().join(", "),
        rows_done: progress.rows_done,
        rows_total: progress.rows_total,
        rows_per_second: progress.rows_per_second,
        held: progress.held.clone(),
    })
}

fn happens(entry: &LedgerEntry) -> String {
    match (entry.span, view(entry)) {
        (Span::AtRest(_), _) => "at rest".to_owned(),
        (Span::Intended(step), _) => format!("about to move to {}", step.to()),
        (Span::Acting(_), _) if entry.is_hidden() => {
            "soaking: the old shape is hidden, and can be brought back".to_owned()
        }
        (Span::Acting(step), None) => format!("moving to {}", step.to()),
        (Span::Acting(step), Some(backfill)) => format!("moving to {}: {backfill}", step.to()),
    }
}

/// The ledger as JSON.
pub fn json(reading: &Reading) -> Value {
    let Reading::Ledger(state) = reading else { return json!({"ledger": null}) };
    let LedgerState { generation, server, plan, paused, changes } = state;
    json!({"ledger": {
        "generation": generation.0,
        "server": server.0,
        "plan": plan.as_ref().map(schema_phases::PlanDigest::as_str),
        "paused": paused,
        "changes": changes.iter().map(change_json).collect::<Vec<_>>(),
    }})
}

fn change_json(entry: &LedgerEntry) -> Value {
    let LedgerEntry { profile, span, definition, new_shape_live, done, backfill: _ } = entry;
    let (state, to) = match span {
        Span::AtRest(_) => ("at rest", None),
        Span::Intended(step) => ("intended", Some(step.to())),
        Span::Acting(step) => ("acting", Some(step.to())),
    };
    json!({
        "name": profile.name.as_str(),
        "order": profile.order,
        "tables": profile.tables,
        "phase": span.at().as_str(),
        "state": state,
        "moving_to": to.map(schema_phases::SchemaPhase::as_str),
        "old_window": profile.old_window.to_string(),
        "new_window": profile.new_window.to_string(),
        "definition": definition,
        "new_shape_live": new_shape_live,
        "hidden": entry.is_hidden(),
        "steps_done": done.iter().filter(|step| **step != HIDDEN).collect::<Vec<_>>(),
        "backfill": view(entry).map(|it| json!({
            "percent": it.percent(),
            "rows_done": it.rows_done,
            "rows_total": it.rows_total,
            "rows_per_second": it.rows_per_second,
            "remaining_s": it.remaining().map(|left| left.as_secs()),
            "held": it.held,
        })),
    })
}

#[cfg(test)]
mod tests {
    use phase_ledger::{BackfillProgress, Generation, ServerIdentity};
    use schema_phases::{ChangeProfile, Conversion, Move, PhaseWindow, SchemaPhase};

    use super::*;

    fn reading() -> Reading {
        let step = Move::new(SchemaPhase::Synced, SchemaPhase::Migrated).unwrap();
        let entry = |name: &str, order, span, backfill| LedgerEntry {
            profile: ChangeProfile {
                name: name.parse().unwrap(),
                order,
                tables: ["customers".to_owned()].into(),
                old_window: PhaseWindow::until(SchemaPhase::Migrated),
                new_window: PhaseWindow::NEW_SHAPE,
                conversion: Conversion::Rows,
            },
            span,
            definition: "d".into(),
            new_shape_live: false,
            done: std::collections::BTreeSet::new(),
            backfill,
        };
        let progress = BackfillProgress { step: 0, held: None, rows_done: 63, rows_total: 100, rows_per_second: 10 };
        Reading::Ledger(LedgerState {
            generation: Generation(7),
            server: ServerIdentity("s".into()),
            plan: Some("a".repeat(64).parse().unwrap()),
            paused: None,
            changes: vec![
                entry("split-full-name", 1, Span::Acting(step), Some(progress)),
                entry("add-city", 2, Span::AtRest(SchemaPhase::Pending), None),
            ],
        })
    }

    #[test]
    fn the_table_shows_where_each_change_is_and_how_far() {
        let table = table(&reading(), Ink::Plain);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "generation 7, plan aaaaaaaaaaaa, server s");
        assert_eq!(
            lines[3],
            "split-full-name  synced   pending..migrated  migrated..contracted  moving to migrated: backfill 63 % 63 of \
             100 rows of customers, 10 rows/s, about 3 s"
        );
        assert_eq!(lines[4], "add-city         pending  pending..migrated  migrated..contracted  at rest");
        assert!(super::table(&reading(), Ink::Colour).contains("\u{1b}["));
        assert!(!table.contains('\u{1b}'));
    }

    #[test]
    fn the_json_says_the_same() {
        let json = json(&reading());
        let change = &json["ledger"]["changes"][0];
        assert_eq!(change["phase"], "synced");
        assert_eq!(change["state"], "acting");
        assert_eq!(change["moving_to"], "migrated");
        assert_eq!(change["backfill"]["percent"], 63);
        assert_eq!(super::json(&Reading::NotBegun)["ledger"], Value::Null);
    }
}
