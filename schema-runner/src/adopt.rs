//! `phasegate adopt`: a ledger for a database that has none, verified against its catalog. For each change that Git
//! declares it looks for the phase whose traces are all there; what is half there is named, and nothing is written.

use std::collections::BTreeMap;

use phase_ledger::{Generation, Reading, Record, Session, Transaction, WriteError};
use schema_changes::{Catalog, ColumnFacts, Engine, Plan, SchemaChange, Trace, bare_of_shapes, traces_of_the_end};
use schema_phases::{ChangeName, Move, SchemaPhase, Span, Target};
use serde_json::{Value, json};

use crate::{
    catalog,
    drift::told,
    exit::Exit,
    halt::{Halt, MoveError, chain},
    moves::Moves,
    sync_check::broken_sync,
    verify::{disagreement, verifications},
};

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopt {
    /// It is.
    Write,
    /// It is only said what would be.
    DryRun,
}

/// Where one change was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The change.
    pub change: String,
    /// The phase it is at; none when it is half there.
    pub phase: Option<SchemaPhase>,
    /// How that was told, or what contradicts it.
    pub because: Vec<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The database's name.
    pub database: String,
    /// Each change.
    pub changes: Vec<Adopted>,
    /// Objects of a runner that belong to no change of Git.
    pub unexplained: Vec<String>,
    /// Whether the ledger was written.
    pub written: bool,
}

/// Looks, and begins the ledger when everything can be explained.
///
/// # Errors
/// Why it could not look or write, joined, and whether that may pass.
pub async fn adopt(
    plan: &Plan,
    session: &mut dyn Session,
    moves: &dyn Moves,
    stated: &BTreeMap<ChangeName, SchemaPhase>,
    runner: &str,
    how: Adopt,
) -> Result<Adoption, (Exit, String)> {
    refuse_a_ledger(session).await?;
    let mut changes = Vec::new();
    // From the last to the first: what a later change took away was there for an earlier one.
    let mut taken: Vec<(String, String)> = Vec::new();
    for change in plan.changes.iter().rev() {
        let found = one(plan, session, moves, change, stated, &mut taken).await.map_err(Halt::told)?;
        changes.push(found);
    }
    changes.reverse();
    let unexplained = unexplained(plan, session, moves, &changes).await.map_err(Halt::told)?;
    let mut adoption = Adoption { database: plan.database.name.clone(), changes, unexplained, written: false };
    if how == Adopt::Write && adoption.exit() == Exit::Done {
        write(plan, session, &adoption, runner).await?;
        adoption.written = true;
    }
    Ok(adoption)
}

/// A ledger that says anything is not replaced. One in which nothing has begun is what an adoption that died leaves.
async fn refuse_a_ledger(session: &mut dyn Session) -> Result<(), (Exit, String)> {
    match session.read().await {
        Ok(Reading::NotBegun) | Err(phase_ledger::ReadError::Unexplained { .. }) => Ok(()),
        Ok(Reading::Ledger(state)) => {
            match state.changes.iter().find(|entry| entry.span != Span::AtRest(SchemaPhase::Pending)) {
                None => Ok(()),
                Some(entry) => Err((
                    Exit::Never,
                    format!(
                        "the database has a ledger already, in which {} is {}; `phasegate verify` compares the two",
                        entry.profile.name, entry.span
                    ),
                )),
            }
        }
        Err(cause) if cause.is_transient() => Err((Exit::TryAgain, chain(&cause))),
        Err(cause) => Err((Exit::Never, chain(&cause))),
    }
}

async fn one(
    plan: &Plan,
    session: &mut dyn Session,
    moves: &dyn Moves,
    change: &SchemaChange,
    stated: &BTreeMap<ChangeName, SchemaPhase>,
    taken: &mut Vec<(String, String)>,
) -> Result<Adopted, Halt> {
    let name = &change.profile.name;
    let adopted = |phase, because| Adopted { change: name.to_string(), phase, because };
    let ends = traces_of_the_end(change);
    if ends.is_empty() {
        return Ok(match stated.get(name) {
            Some(phase) => adopted(Some(*phase), vec!["as stated by --at".into()]),
            None => adopted(
                None,
                vec![format!(
                    "nothing but its author knows what plain SQL leaves: state it, --at {name}=contracted or --at {name}=pending"
                )],
            ),
        });
    }
    if let Some(phase) = stated.get(name) {
        return Ok(adopted(
            None,
            vec![format!("it can be told from the catalog where it is; take --at {name}={phase} away")],
        ));
    }
    let engine = plan.database.engine;
    let catalog = before_later(catalog::read(session, engine, &change.profile.tables).await?, taken);
    let misses = |traces: &[Trace], phase| -> Vec<String> {
        traces.iter().filter_map(|trace| told(trace, phase, &catalog)).map(|drift| drift.object).collect()
    };
    let at = |phase| bare_of_shapes(moves.traces(change, phase, false));
    let (pending, expanded) = (
        misses(&at(SchemaPhase::Pending), SchemaPhase::Pending),
        misses(&at(SchemaPhase::Expanded), SchemaPhase::Expanded),
    );
    let end = misses(&ends, SchemaPhase::Contracted);
    if pending.is_empty() || nothing_yet(plan, change, &catalog) {
        return Ok(adopted(Some(SchemaPhase::Pending), vec!["nothing of it is there".into()]));
    }
    if expanded.is_empty() {
        return both_shapes(session, engine, moves, change, &catalog).await;
    }
    if end.is_empty() {
        let gone = ends.iter().filter(|trace| !trace.stands);
        taken.extend(gone.filter_map(|trace| Some((trace.table.clone(), trace.column.clone()?))));
        return Ok(adopted(
            Some(SchemaPhase::Contracted),
            vec!["its new shape is there, and its old one is not".into()],
        ));
    }
    let half = [(SchemaPhase::Pending, pending), (SchemaPhase::Expanded, expanded), (SchemaPhase::Contracted, end)];
    let because = half.iter().map(|(phase, misses)| format!("it is not {phase}: {}", misses.join(", "))).collect();
    Ok(adopted(None, because))
}

/// The catalog as it was before the later changes took columns away.
fn before_later(mut catalog: Catalog, taken: &[(String, String)]) -> Catalog {
    for (table, column) in taken {
        if let Some(facts) = catalog.get_mut(table)
            && facts.column(column).is_none()
        {
            facts.columns.push(ColumnFacts {
                name: column.clone(),
                sql_type: "text".into(),
                nullable: true,
                default: None,
                generated: false,
            });
        }
    }
    catalog
}

/// Whether the tables it works on are still to be made by an earlier change.
fn nothing_yet(plan: &Plan, change: &SchemaChange, catalog: &Catalog) -> bool {
    let made_earlier = |table: &String| {
        plan.changes
            .iter()
            .any(|other| other.profile.order < change.profile.order && other.profile.tables.contains(table))
    };
    change.profile.tables.iter().all(|table| !catalog.contains_key(table) && made_earlier(table))
}

/// Both shapes stand: expanded, synced or migrated; or for good, where nothing is ever taken away.
async fn both_shapes(
    session: &mut dyn Session,
    engine: Engine,
    moves: &dyn Moves,
    change: &SchemaChange,
    catalog: &Catalog,
) -> Result<Adopted, Halt> {
    let adopted = |phase, because: String| {
        Ok(Adopted { change: change.profile.name.to_string(), phase: Some(phase), because: vec![because] })
    };
    let wanted = match change.target {
        Target::Reach(phase) | Target::RevertTo(phase) => phase.max(SchemaPhase::Expanded),
    };
    let objects =
        moves.sync_objects(change, catalog).map_err(|cannot| Halt::from(MoveError::Refused { why: cannot.why }))?;
    let checks = verifications(moves, change, catalog)?;
    if objects.is_empty() && checks.is_empty() {
        return adopted(wanted, "it is there whole, and takes nothing away".into());
    }
    let broken = broken_sync(session, moves, change, catalog).await?;
    if !broken.is_empty() && broken.len() < objects.len() {
        let missing: Vec<String> = broken.into_iter().map(|object| object.name).collect();
        return Ok(Adopted {
            change: change.profile.name.to_string(),
            phase: None,
            because: vec![format!(
                "of what keeps its shapes equal, {} is missing, disabled or altered",
                missing.join(", ")
            )],
        });
    }
    let mut agrees = true;
    for it in &checks {
        agrees &= disagreement(session, engine, catalog, it, true).await?.is_none();
    }
    let takes_away = traces_of_the_end(change).iter().any(|trace| !trace.stands);
    match (broken.is_empty(), agrees) {
        (true, true) if !objects.is_empty() => {
            adopted(SchemaPhase::Migrated, "both shapes are there, kept equal, and every row agrees".into())
        }
        (true, false) if !objects.is_empty() => {
            adopted(SchemaPhase::Synced, "both shapes are there and kept equal; not every row agrees yet".into())
        }
        (_, true) if !takes_away && wanted == SchemaPhase::Contracted => {
            adopted(SchemaPhase::Contracted, "it is there, every row is filled, and nothing fills it any more".into())
        }
        (_, true | false) => {
            adopted(SchemaPhase::Expanded, "both shapes are there, and nothing keeps them equal".into())
        }
    }
}

/// The triggers of a runner that no adopted change explains.
async fn unexplained(
    plan: &Plan,
    session: &mut dyn Session,
    moves: &dyn Moves,
    changes: &[Adopted],
) -> Result<Vec<String>, Halt> {
    let engine = plan.database.engine;
    let mut known = Vec::new();
    for (change, found) in plan.changes.iter().zip(changes) {
        if matches!(found.phase, Some(SchemaPhase::Synced | SchemaPhase::Migrated)) || found.phase.is_none() {
            let catalog = catalog::read(session, engine, &change.profile.tables).await?;
            known
                .extend(moves.sync_objects(change, &catalog).unwrap_or_default().into_iter().map(|object| object.name));
        }
    }
    let all = catalog::triggers_of_runners(session, engine).await?;
    Ok(all.into_iter().filter(|name| !known.contains(name)).collect())
}

async fn write(
    plan: &Plan,
    session: &mut dyn Session,
    adoption: &Adoption,
    runner: &str,
) -> Result<(), (Exit, String)> {
    let told = |cause: WriteError| {
        let exit = if cause.is_transient() { Exit::TryAgain } else { Exit::Never };
        (exit, chain(&cause))
    };
    if !session.try_lock().await.map_err(told)? {
        return Err((Exit::TryAgain, "another runner is at work on this database".to_owned()));
    }
    let generation: Generation = session.adopt(runner).await.map_err(told)?;
    let mut records = Vec::new();
    for (change, found) in plan.changes.iter().zip(&adoption.changes) {
        let name = &change.profile.name;
        records.push(Record::Register { profile: change.profile.clone(), definition: change.definition.clone() });
        let phase = found.phase.unwrap_or(SchemaPhase::Pending);
        for (from, to) in SchemaPhase::ALL.into_iter().zip(SchemaPhase::ALL.into_iter().skip(1)) {
            if let (true, Ok(step)) = (to <= phase, Move::new(from, to)) {
                records.push(Record::Intend(name.clone(), step));
                records.push(Record::Act(name.clone(), step));
                records.push(Record::Settle(name.clone(), to));
            }
        }
        if phase >= SchemaPhase::Migrated {
            // Who wrote the rows nobody knows: what agrees by either rule is right.
            records.push(Record::NewShapeLive(name.clone()));
        }
    }
    let transaction =
        Transaction { lock_timeout: std::time::Duration::from_secs(2), records, ..Transaction::default() };
    session.commit(generation, &transaction).await.map(drop).map_err(told)
}

impl Adoption {
    /// How the command ends.
    pub fn exit(&self) -> Exit {
        let whole = self.unexplained.is_empty() && self.changes.iter().all(|change| change.phase.is_some());
        if whole { Exit::Done } else { Exit::Never }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}: where the changes of Git are in this database\n\n", self.database);
        for change in &self.changes {
            let phase = change.phase.map_or("HALF THERE", SchemaPhase::as_str);
            text.push_str(&format!("{}: {phase}: {}\n", change.change, change.because.join("; ")));
        }
        for object in &self.unexplained {
            text.push_str(&format!(
                "UNEXPLAINED: {object} was made by a runner and belongs to no change in Git at the phase found: restore \
                 the file of its change, or drop it\n"
            ));
        }
        let end = match (self.written, self.exit()) {
            (true, _) => "The ledger is begun.",
            (false, Exit::Done) => "Nothing was written.",
            (false, Exit::TryAgain | Exit::Never) => {
                "Nothing was written: bring what is half there to one phase by hand, then adopt again."
            }
        };
        text.push_str(&format!("\n{end}\n"));
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "database": self.database,
            "written": self.written,
            "exit": self.exit().code(),
            "unexplained": self.unexplained,
            "changes": self.changes.iter().map(|change| json!({
                "name": change.change,
                "phase": change.phase.map(SchemaPhase::as_str),
                "because": change.because,
            })).collect::<Vec<_>>(),
        })
    }
}
