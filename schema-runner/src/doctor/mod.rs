//! `phasegate doctor`: what would stand in the way of a run, or harm what runs beside it, before anything changes.
//!
//! A blocker is what makes a move fail or lose something; `run` asks for these itself before it first touches a change.
//! A warning is what a person should know. Nothing here writes, and nothing takes a lock that anybody waits for.

mod mysql;
mod mysql_dependents;
mod postgres;
mod report;
mod sqlite;

use std::collections::BTreeSet;

use phase_ledger::{Cell, LedgerState, Reading, Row, Session, Statement};
use schema_changes::{Catalog, Engine, Plan, SchemaChange, quote, traces_of_the_end};
use schema_phases::{SchemaPhase, Span, Target, next_move};

use crate::{
    catalog,
    drift::drift,
    exit::Exit,
    halt::{Halt, MoveError, chain},
    moves::Moves,
    protocol::Attempt,
    soak::as_begun,
};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Note,
    /// It may harm something beside the run.
    Warning,
    /// The run would fail, or lose something.
    Blocker,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Blocker => "BLOCKER",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The word for programs: `not_owner`.
    pub check: &'static str,
    /// The table, the change, or the database.
    pub about: String,
    /// What was found.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// A table that a change touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// Its name.
    pub table: String,
    /// Rows, as estimated without a scan where the engine can.
    pub rows: u64,
    /// Bytes, with indexes.
    pub bytes: u64,
    /// Its indexes.
    pub indexes: u64,
}

/// What the doctor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The database's name.
    pub database: String,
    /// Everything that was found, the worst first.
    pub findings: Vec<Finding>,
    /// The tables.
    pub tables: Vec<TableSize>,
}

/// One change, and what the checks must know of it.
pub(crate) struct Patient<'a> {
    pub(crate) change: &'a SchemaChange,
    /// The columns that its contract takes away.
    pub(crate) goes: Vec<(String, String)>,
    /// Whether Git asks for that now.
    pub(crate) contracts: bool,
    pub(crate) catalog: &'a Catalog,
}

impl<'a> Patient<'a> {
    fn new(change: &'a SchemaChange, catalog: &'a Catalog) -> Self {
        let gone = traces_of_the_end(change).into_iter().filter(|trace| !trace.stands);
        let goes = gone.filter_map(|trace| trace.column.map(|column| (trace.table, column)));
        let there =
            |(table, column): &(String, String)| catalog.get(table).is_some_and(|facts| facts.column(column).is_some());
        Self {
            change,
            goes: goes.filter(there).collect(),
            contracts: change.target == Target::Reach(SchemaPhase::Contracted),
            catalog,
        }
    }
}

/// Examines a database.
///
/// # Errors
/// What the database said, joined, and whether that may pass.
pub async fn doctor(plan: &Plan, session: &mut dyn Session, moves: &dyn Moves) -> Result<Diagnosis, (Exit, String)> {
    let engine = plan.database.engine;
    let mut findings = Vec::new();
    let state = match session.read().await {
        Ok(Reading::Ledger(state)) => Some(state),
        Ok(Reading::NotBegun) => None,
        Err(cause) if cause.is_transient() => return Err((Exit::TryAgain, chain(&cause))),
        Err(cause) => {
            findings.push(Finding {
                severity: Severity::Blocker,
                check: "ledger",
                about: "the ledger".into(),
                what: chain(&cause),
                remedy: "see the message".into(),
            });
            None
        }
    };
    findings.extend(of_the_database(session, engine).await.map_err(Halt::told)?);
    let names: BTreeSet<String> = plan.changes.iter().flat_map(|change| change.profile.tables.clone()).collect();
    let mut tables = Vec::new();
    for table in &names {
        tables.extend(size(session, engine, table).await.map_err(Halt::told)?);
    }
    if let Some(state) = &state {
        findings.extend(drifted(session, plan, moves, state).await.map_err(Halt::told)?);
    }
    for change in &plan.changes {
        findings.extend(of_a_change(session, engine, moves, plan, change, state.as_ref()).await.map_err(Halt::told)?);
    }
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
    findings.dedup();
    Ok(Diagnosis { database: plan.database.name.clone(), findings, tables })
}

async fn of_the_database(session: &mut dyn Session, engine: Engine) -> Result<Vec<Finding>, Halt> {
    match engine {
        Engine::Postgres => postgres::of_the_database(session).await,
        Engine::Sqlite => sqlite::of_the_database(session).await,
        Engine::Mysql | Engine::Mariadb => mysql::of_the_database(session).await,
    }
}

/// What is not as the ledger says, for which a run stops.
async fn drifted(
    session: &mut dyn Session,
    plan: &Plan,
    moves: &dyn Moves,
    state: &LedgerState,
) -> Result<Vec<Finding>, Halt> {
    let mut findings = Vec::new();
    for change in &plan.changes {
        let Some(entry) = state.change(&change.profile.name) else { continue };
        // Nothing of it needs to be there yet; what is there too early, the move itself finds.
        if entry.span == Span::AtRest(SchemaPhase::Pending) {
            continue;
        }
        let form = as_begun(change, entry.is_hidden());
        let found = match drift(session, plan, state, moves, &form, entry).await {
            Ok(found) => found,
            // Told where the change is examined.
            Err(Halt::Failed(MoveError::Refused { .. })) => continue,
            Err(halt) => return Err(halt),
        };
        findings.extend(found.into_iter().map(|drift| Finding {
            severity: Severity::Blocker,
            check: "drift",
            about: change.profile.name.to_string(),
            what: drift.why,
            remedy: "`phasegate verify` tells more".into(),
        }));
    }
    Ok(findings)
}

/// What concerns one change that has a move to make.
async fn of_a_change(
    session: &mut dyn Session,
    engine: Engine,
    moves: &dyn Moves,
    plan: &Plan,
    change: &SchemaChange,
    state: Option<&LedgerState>,
) -> Result<Vec<Finding>, Halt> {
    let span_of = |name| {
        state.and_then(|state| state.change(name)).map_or(Span::AtRest(SchemaPhase::Pending), |entry| entry.span)
    };
    let Span::AtRest(at) = span_of(&change.profile.name) else { return Ok(Vec::new()) };
    let Some(step) = next_move(at, change.target) else { return Ok(Vec::new()) };
    let catalog = catalog::read(session, engine, &change.profile.tables).await?;
    let mut findings = Vec::new();
    // What an earlier change has still to do may be what this one builds on.
    let first = plan
        .changes
        .iter()
        .filter(|other| other.profile.order < change.profile.order && other.profile.shares_table_with(&change.profile))
        .all(|other| other.target.is_reached(span_of(&other.profile.name)));
    if first && let Err(cannot) = moves.steps(change, step, &catalog) {
        findings.push(Finding {
            severity: Severity::Blocker,
            check: "refused",
            about: change.profile.name.to_string(),
            what: cannot.why,
            remedy: "see the message".into(),
        });
    }
    let patient = Patient::new(change, &catalog);
    findings.extend(match engine {
        Engine::Postgres => postgres::of_a_change(session, &patient).await?,
        Engine::Sqlite => sqlite::of_a_change(session, &patient).await?,
        Engine::Mysql | Engine::Mariadb => mysql::of_a_change(session, &patient).await?,
    });
    Ok(findings)
}

async fn size(session: &mut dyn Session, engine: Engine, table: &str) -> Result<Option<TableSize>, Halt> {
    let catalog = catalog::read(session, engine, &[table.to_owned()].into()).await?;
    let Some(facts) = catalog.get(table) else { return Ok(None) };
    let bytes = match engine {
        Engine::Postgres => postgres::bytes(session, table).await?,
        Engine::Sqlite => sqlite::bytes(session).await?,
        Engine::Mysql | Engine::Mariadb => mysql::bytes(session, table).await?,
    };
    let indexes = u64::try_from(facts.indexes.len()).unwrap_or(u64::MAX);
    Ok(Some(TableSize { table: table.to_owned(), rows: facts.rows_estimate, bytes, indexes }))
}

impl Attempt<'_> {
    /// Stops a change that a blocker would let fail half-way, before it is touched.
    pub(crate) async fn fit(&mut self, change: &SchemaChange) -> Result<(), Halt> {
        let state = self.state().await?;
        let (engine, moves, plan) = (self.plan.database.engine, self.ports.moves, self.plan);
        let found = of_a_change(self.session.as_mut(), engine, moves, plan, change, Some(&state)).await?;
        let blockers = found.into_iter().filter(|finding| finding.severity == Severity::Blocker);
        // What the move itself refuses, it says itself.
        let what: Vec<String> = blockers
            .filter(|finding| finding.check != "refused")
            .map(|finding| format!("{}: {}", finding.what, finding.remedy))
            .collect();
        if what.is_empty() { Ok(()) } else { Err(MoveError::Unfit { what }.into()) }
    }
}

/// The rows of a query over values.
async fn ask(session: &mut dyn Session, sql: &str, binds: &[&str]) -> Result<Vec<Row>, Halt> {
    let binds = binds.iter().map(|bind| Cell::Text((*bind).to_owned())).collect();
    Ok(session.query(&Statement { sql: sql.to_owned(), binds }).await?)
}

fn text(row: &Row, index: usize) -> String {
    match row.get(index) {
        Some(Cell::Text(text)) => text.clone(),
        Some(Cell::Int(number)) => number.to_string(),
        Some(Cell::Null | Cell::Real(_) | Cell::Bytes(_)) | None => String::new(),
    }
}

fn int(row: &Row, index: usize) -> i64 {
    match row.get(index) {
        Some(Cell::Int(number)) => *number,
        Some(Cell::Null | Cell::Real(_) | Cell::Text(_) | Cell::Bytes(_)) | None => 0,
    }
}

fn quoted(engine: Engine, table: &str) -> String {
    quote(engine, table)
}
