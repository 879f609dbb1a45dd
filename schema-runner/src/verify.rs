//! Counting what must not exist, before `migrated` is written, before the old shape goes, and whenever somebody asks.

use phase_ledger::{Cell, Session};
use schema_changes::{Catalog, Engine, SchemaChange, Step, Verification, quote};
use schema_phases::{Move, SchemaPhase};

use crate::{
    halt::{Halt, MoveError},
    moves::{Moves, plain},
    protocol::Attempt,
};

/// So many of the rows that disagree are named by their keys.
const FIRST: usize = 5;

/// Rows whose shapes disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disagreement {
    /// What must hold.
    pub(crate) what: String,
    /// How many rows.
    pub(crate) count: u64,
    /// The keys of the first ones: `id = 7`.
    pub(crate) first: Vec<String>,
    /// The query that shows all of them, or at least counts them.
    pub(crate) query: String,
}

impl From<Disagreement> for MoveError {
    fn from(found: Disagreement) -> Self {
        let Disagreement { what, count, first, query } = found;
        Self::Disagree { what, count, first, query }
    }
}

impl Attempt<'_> {
    /// Counts the rows whose shapes disagree; any at all is an error that names the count and the first of them.
    pub(crate) async fn verify(&mut self, change: &SchemaChange, it: &Verification) -> Result<String, Halt> {
        let state = self.state().await?;
        let new_shape_live = state.change(&change.profile.name).is_some_and(|entry| entry.new_shape_live);
        let catalog = self.catalog(change).await?;
        let engine = self.plan.database.engine;
        match disagreement(self.session.as_mut(), engine, &catalog, it, new_shape_live).await? {
            None => Ok(format!("verified that {}", it.what)),
            Some(found) => Err(MoveError::from(found).into()),
        }
    }

    /// Whether both shapes still agree, row by row: what a contract takes away must be in the new shape.
    pub(crate) async fn check_rows(&mut self, change: &SchemaChange) -> Result<(), Halt> {
        let catalog = self.catalog(change).await?;
        for it in verifications(self.ports.moves, change, &catalog)? {
            self.verify(change, &it).await?;
        }
        Ok(())
    }
}

/// What is verified before the change is called migrated.
pub(crate) fn verifications(
    moves: &dyn Moves,
    change: &SchemaChange,
    catalog: &Catalog,
) -> Result<Vec<Verification>, Halt> {
    // INVARIANT: these two are neighbours.
    let Ok(step) = Move::new(SchemaPhase::Synced, SchemaPhase::Migrated) else { return Ok(Vec::new()) };
    let steps = moves.steps(change, step, catalog);
    let steps = steps.map_err(|cannot| Halt::from(MoveError::Refused { why: cannot.why }))?;
    let only = |step| if let Step::Verify(it) = step { Some(it) } else { None };
    Ok(steps.into_iter().filter_map(only).collect())
}

/// Counts, and names the first. As long as no version of the new shape can have written, only `new = f(old)` counts as
/// agreement: the weaker rule, which a writer of the new shape needs, would hide an update that the sync missed.
pub(crate) async fn disagreement(
    session: &mut dyn Session,
    engine: Engine,
    catalog: &Catalog,
    it: &Verification,
    new_shape_live: bool,
) -> Result<Option<Disagreement>, Halt> {
    let query = if new_shape_live { &it.lenient } else { &it.strict };
    let count = number(session, query).await?;
    if count == 0 {
        return Ok(None);
    }
    let Some((keys, rest)) = of_one_table(engine, catalog, query) else {
        return Ok(Some(Disagreement { what: it.what.clone(), count, first: Vec::new(), query: query.clone() }));
    };
    let first = first_keys(session, engine, &keys, rest).await?;
    Ok(Some(Disagreement { what: it.what.clone(), count, first, query: format!("SELECT * {rest}") }))
}

const COUNT: &str = "SELECT count(*) ";

/// The key columns of the one table that the query counts rows of, and the query without what it counts.
fn of_one_table<'a>(engine: Engine, catalog: &Catalog, query: &'a str) -> Option<(Vec<String>, &'a str)> {
    let rest = query.strip_prefix(COUNT)?;
    let (_, facts) =
        catalog.iter().find(|(table, _)| rest.starts_with(&format!("FROM {} WHERE ", quote(engine, table))))?;
    (!facts.primary_key.is_empty()).then(|| (facts.primary_key.clone(), rest))
}

async fn first_keys(
    session: &mut dyn Session,
    engine: Engine,
    keys: &[String],
    rest: &str,
) -> Result<Vec<String>, Halt> {
    let quoted: Vec<String> = keys.iter().map(|key| quote(engine, key)).collect();
    let kind = if matches!(engine, Engine::Mysql | Engine::Mariadb) { "char" } else { "text" };
    // Named otherwise than the column: ORDER BY would take the text for it.
    let cast: Vec<String> =
        (1..).zip(&quoted).map(|(n, key)| format!("CAST({key} AS {kind}) AS phasegate_{n}")).collect();
    let query = format!("SELECT {} {rest} ORDER BY {} LIMIT {FIRST}", cast.join(", "), quoted.join(", "));
    let rows = session.query(&plain(&query)).await?;
    let told = |cell: &Cell| match cell {
        Cell::Text(text) => text.chars().take(80).collect(),
        Cell::Int(number) => number.to_string(),
        Cell::Null => "NULL".to_owned(),
        Cell::Real(_) | Cell::Bytes(_) => "?".to_owned(),
    };
    let named = |row: &Vec<Cell>| {
        keys.iter().zip(row).map(|(key, cell)| format!("{key} = {}", told(cell))).collect::<Vec<_>>().join(" and ")
    };
    Ok(rows.iter().map(named).collect())
}

/// The one number that a query returns.
pub(crate) async fn number(session: &mut dyn Session, query: &str) -> Result<u64, Halt> {
    let rows = session.query(&plain(query)).await?;
    let number = match rows.first().map(Vec::as_slice) {
        Some([Cell::Int(number)]) => u64::try_from(*number).ok(),
        Some([Cell::Text(text)]) => text.parse().ok(),
        // A sum over no rows.
        Some([Cell::Null]) => Some(0),
        _ => None,
    };
    number.ok_or_else(|| MoveError::NotANumber { query: query.to_owned() }.into())
}
