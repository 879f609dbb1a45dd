//! Which version of the app may meet which phase of which schema change.

use schema_phases::{AppVersion, PhaseWindow, SchemaPhase, Target};
use serde::Serialize;

use crate::{
    declared::{Declared, DeclaredPlan},
    lint::versions::{live_changes, title_of},
    table::layout,
};

/// One version and one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    database: String,
    change: String,
    target: Target,
    version: String,
    commit: Commit,
    /// Why it cannot be told, when it cannot.
    window: Result<PhaseWindow, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commit {
    Now,
    Base,
}

impl Commit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Now => "here",
            Self::Base => "base",
        }
    }
}

/// The rows for each change of this commit: its own versions, those of the base, and the declared consumers.
pub(crate) fn rows(now: &Declared, base: Option<&Declared>) -> Vec<Row> {
    let mut rows = Vec::new();
    for plan in &now.plans {
        let database = &plan.plan.database;
        let mut versions: Vec<(Commit, AppVersion)> = Vec::new();
        versions.extend(versions_of(base, plan).map(|version| (Commit::Base, version)));
        versions.extend(versions_of(Some(now), plan).map(|version| (Commit::Now, version)));
        versions.extend(database.consumers.iter().map(|consumer| {
            let version =
                AppVersion { name: format!("consumer {}", consumer.name), annotation: consumer.supports.clone() };
            (Commit::Now, version)
        }));
        let changes = live_changes(&plan.plan);
        for change in &plan.plan.changes {
            rows.extend(versions.iter().map(|(commit, version)| Row {
                database: database.name.clone(),
                change: change.profile.name.to_string(),
                target: change.target,
                version: version.name.clone(),
                commit: *commit,
                window: version.window(&change.profile, &changes).map_err(|unclear| unclear.to_string()),
            }));
        }
    }
    rows
}

fn versions_of<'a>(declared: Option<&'a Declared>, plan: &'a DeclaredPlan) -> impl Iterator<Item = AppVersion> + 'a {
    let database = plan.plan.database.name.as_str();
    declared.into_iter().flat_map(Declared::versions).filter(move |version| version.uses(database)).map(
        move |version| AppVersion {
            name: title_of(&version),
            annotation: version.supports(database).and_then(|node| node.as_text()).unwrap_or_default().to_owned(),
        },
    )
}

/// A table; `*` marks the phase Git asks for.
pub(crate) fn as_text(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no version in this folder uses a database with changes\n".to_owned();
    }
    let header: Vec<&str> = ["DATABASE", "CHANGE", "VERSION", "COMMIT"]
        .into_iter()
        .chain(SchemaPhase::ALL.iter().map(|phase| phase.as_str()))
        .collect();
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let mut cells =
                vec![row.database.clone(), row.change.clone(), row.version.clone(), row.commit.as_str().to_owned()];
            match &row.window {
                Ok(window) => cells.extend(SchemaPhase::ALL.iter().map(|phase| cell(*phase, *window, row.target))),
                Err(why) => cells.push(format!("unclear: {why}")),
            }
            cells
        })
        .collect();
    format!("{}\nyes: the version works in this phase; *: the phase Git asks for\n", layout(&header, &lines))
}

fn cell(phase: SchemaPhase, window: PhaseWindow, target: Target) -> String {
    let (Target::Reach(asked) | Target::RevertTo(asked)) = target;
    let fits = if window.contains(phase) { "yes" } else { "no" };
    format!("{fits}{}", if phase == asked { "*" } else { "" })
}

#[derive(Serialize)]
struct RowJson<'a> {
    database: &'a str,
    change: &'a str,
    target: &'static str,
    revert: bool,
    version: &'a str,
    commit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    phases: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unclear: Option<&'a str>,
}

/// The same as JSON: a list of rows, each with the phases in which the version works.
///
/// # Errors
/// None that can happen.
pub(crate) fn as_json(rows: &[Row]) -> serde_json::Result<Vec<u8>> {
    let rows: Vec<RowJson<'_>> = rows
        .iter()
        .map(|row| {
            let (Target::Reach(asked) | Target::RevertTo(asked)) = row.target;
            let inside = |window: &PhaseWindow| {
                SchemaPhase::ALL.iter().filter(|phase| window.contains(**phase)).map(|phase| phase.as_str()).collect()
            };
            RowJson {
                database: &row.database,
                change: &row.change,
                target: asked.as_str(),
                revert: matches!(row.target, Target::RevertTo(_)),
                version: &row.version,
                commit: row.commit.as_str(),
                phases: row.window.as_ref().ok().map(inside),
                unclear: row.window.as_ref().err().map(String::as_str),
            }
        })
        .collect();
    let mut json = serde_json::to_vec_pretty(&rows)?;
    json.push(b'\n');
    Ok(json)
}
