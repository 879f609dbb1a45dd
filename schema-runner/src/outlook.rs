//! `phasegate plan`: what a run would do from here, move by move, with the exact SQL, the locks, the rows and the losses.
//! Changes nothing.

use phase_ledger::{LedgerState, Reading, Session};
use schema_changes::{Alone, Engine, IntegrityQuery, Plan, SchemaChange, Soak, Step};
use schema_phases::{LiveChange, Move, Movement, SchemaPhase, Sighting, Span, may_move, next_move};
use serde_json::{Value, json};

use crate::{
    backfill::batch_aim,
    catalog,
    halt::{Halt, chain},
    live::{LiveVersions, versions},
    loss::{self, Counted, accepted},
    moves::Moves,
    report::{count, duration},
    soak::as_begun,
    verify::number,
};

/// What a run would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// The database's name.
    pub database: String,
    /// Each change.
    pub changes: Vec<ChangeOutlook>,
}

/// What a run would do to one change.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeOutlook {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Where it stands.
    pub span: Span,
    /// Whether a contract has hidden the old shape already.
    pub hidden: bool,
    /// How a contract soaks, for people.
    pub soak: Option<String>,
    /// What is left to do, in order.
    pub moves: Vec<MoveOutlook>,
}

/// One move.
#[derive(Clone, Debug, PartialEq)]
pub struct MoveOutlook {
    /// Which one.
    pub step: Move,
    /// What stands in its way right now; only known for the first one.
    pub blocked_by: Vec<String>,
    /// Its steps; or why they cannot be told from here.
    pub steps: Result<Vec<StepOutlook>, String>,
    /// What it loses; or why that cannot be counted from here.
    pub losses: Result<Vec<Counted>, String>,
    /// How many rows Git accepts to lose.
    pub accepted: u64,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOutlook {
    /// What it does.
    pub what: String,
    /// The lock it takes.
    pub lock: String,
    /// The rows it would touch, as far as that can be told.
    pub rows: Option<u64>,
    /// Its statements.
    pub sql: Vec<String>,
}

/// Looks ahead.
///
/// # Errors
/// What the database said, joined.
pub async fn outlook(
    plan: &Plan,
    session: &mut dyn Session,
    moves: &dyn Moves,
    live: &dyn LiveVersions,
) -> Result<Outlook, String> {
    let state = match session.read().await.map_err(|cause| chain(&cause))? {
        Reading::Ledger(state) => Some(state),
        Reading::NotBegun => None,
    };
    let all = live_changes(plan, state.as_ref());
    let seen = versions(&live.look().await);
    let mut changes = Vec::new();
    for change in &plan.changes {
        let span = all
            .iter()
            .find(|live| live.profile.name == change.profile.name)
            .map_or(Span::AtRest(SchemaPhase::Pending), |live| live.span);
        let mut ahead = Vec::new();
        let mut at = span.at();
        // A move that acts goes on to its end, whatever Git asks.
        let mut next = match span {
            Span::Acting(step) => Some(step),
            Span::AtRest(_) | Span::Intended(_) => next_move(at, change.target),
        };
        let is_hidden = state
            .as_ref()
            .and_then(|state| state.change(&change.profile.name))
            .is_some_and(phase_ledger::LedgerEntry::is_hidden);
        let form = as_begun(change, is_hidden);
        while let Some(step) = next {
            let mut one = one_move(plan, session, moves, &form, step, span.at()).await?;
            if ahead.is_empty() && !matches!(span, Span::Acting(_)) {
                one.blocked_by = blocked_by(moves, plan, change, step, &all, &seen);
            }
            ahead.push(one);
            at = step.to();
            next = next_move(at, change.target);
        }
        changes.push(ChangeOutlook {
            name: change.profile.name.to_string(),
            file: change.file.clone(),
            span,
            hidden: is_hidden,
            soak: change.soak.map(soak_told),
            moves: ahead,
        });
    }
    Ok(Outlook { database: plan.database.name.clone(), changes })
}

/// The changes as the ledger would hold them after they were registered.
fn live_changes(plan: &Plan, state: Option<&LedgerState>) -> Vec<LiveChange> {
    let mut all: Vec<LiveChange> = state.map(LedgerState::live_changes).unwrap_or_default();
    for change in &plan.changes {
        match all.iter_mut().find(|live| live.profile.name == change.profile.name) {
            Some(known) => {
                known.profile = change.profile.clone();
                known.span = known.span.settled();
            }
            None => all.push(LiveChange { profile: change.profile.clone(), span: Span::AtRest(SchemaPhase::Pending) }),
        }
    }
    all.sort_by_key(|live| live.profile.order);
    all
}

fn blocked_by(
    moves: &dyn Moves,
    plan: &Plan,
    change: &SchemaChange,
    step: Move,
    all: &[LiveChange],
    live: &Sighting<Vec<schema_phases::AppVersion>>,
) -> Vec<String> {
    let mut by: Vec<String> = match may_move(&change.profile.name, step, all, live) {
        Movement::Allowed => Vec::new(),
        Movement::Blocked(blockers) => blockers.iter().map(ToString::to_string).collect(),
        Movement::Undecided(missing) => vec![missing.to_string()],
    };
    if let Some(other) = moves.sync_conflict(change, step, &plan.changes, all) {
        by.push(format!("{other}, which keeps two shapes of the same table in step"));
    }
    by
}

async fn one_move(
    plan: &Plan,
    session: &mut dyn Session,
    moves: &dyn Moves,
    change: &SchemaChange,
    step: Move,
    at: SchemaPhase,
) -> Result<MoveOutlook, String> {
    let (engine, tables) = (plan.database.engine, &change.profile.tables);
    let catalog = catalog::read(session, engine, tables).await.map_err(|cause| chain(&cause))?;
    let steps = match moves.steps(change, step, &catalog) {
        Err(cannot) => Err(cannot.why),
        Ok(steps) => {
            let mut shown = Vec::new();
            for step in steps.into_iter().filter(|step| !step.is_empty()) {
                shown.push(one_step(engine, session, step, at).await);
            }
            if step.is_forward() && step.to() == SchemaPhase::Migrated {
                shown.extend(plan.database.integrity.iter().map(asked));
            }
            Ok(shown)
        }
    };
    let losses = match loss::counted(session, moves, change, step, &catalog).await {
        Ok(losses) => Ok(losses),
        Err(Halt::Failed(cause)) => Err(chain(&cause)),
        Err(other) => return Err(format!("{other:?}")),
    };
    Ok(MoveOutlook { step, blocked_by: Vec::new(), steps, losses, accepted: accepted(change, step) })
}

/// An integrity query is asked at the end of the move.
fn asked(IntegrityQuery { name, query, at_most }: &IntegrityQuery) -> StepOutlook {
    let right = at_most.map_or_else(|| "no row".to_owned(), |most| format!("at most {most}"));
    StepOutlook {
        what: format!("ask the integrity query {name}, whose right answer is {right}"),
        lock: "none; in a transaction that may only read".to_owned(),
        rows: None,
        sql: vec![query.trim().trim_end_matches(';').to_owned()],
    }
}

/// What stands between hiding and dropping, for people.
fn soak_told(soak: Soak) -> String {
    match soak {
        Soak::For(time) => format!("then it soaks for {}, and can be brought back", duration(time)),
        Soak::Held => "then it soaks until a commit takes `soak: held` away, and can be brought back".to_owned(),
    }
}

async fn one_step(engine: Engine, session: &mut dyn Session, step: Step, at: SchemaPhase) -> StepOutlook {
    match step {
        Step::Transaction { what, tables, statements } | Step::Hide { what, tables, statements } => StepOutlook {
            what,
            lock: match (engine, tables.is_empty()) {
                (_, true) => "none on existing tables".to_owned(),
                (Engine::Sqlite, false) => "the database's write lock, for one transaction".to_owned(),
                (Engine::Postgres | Engine::Mysql | Engine::Mariadb, false) => {
                    format!("ACCESS EXCLUSIVE on {}, waited for at most 200 ms at a time", tables.join(", "))
                }
            },
            rows: None,
            sql: statements,
        },
        Step::Alone(Alone { what, tables, statement, otherwise, present: _ })
        | Step::HideAlone(Alone { what, tables, statement, otherwise, present: _ }) => StepOutlook {
            what,
            lock: if tables.is_empty() {
                "what the statement takes by itself".to_owned()
            } else {
                format!("{} for a moment, waited for briefly at a time", tables.join(", "))
            },
            rows: None,
            sql: [statement]
                .into_iter()
                .chain(otherwise.into_iter().map(|other| format!("-- where that is refused:\n{other}")))
                .collect(),
        },
        Step::Backfill(it) => {
            let table = schema_changes::quote(engine, &it.table);
            // Before the new columns exist, every row will need it. (SQLite takes the name of a column that does not
            // exist for a text, so this must not be left to an error.)
            let needing = if at < SchemaPhase::Expanded { "true" } else { it.unfilled.as_str() };
            let rows = number(session, &format!("SELECT count(*) FROM {table} WHERE {needing}")).await.ok();
            StepOutlook {
                what: format!("fill the rows of {} in ranges of ({})", it.table, it.key.join(", ")),
                lock: format!("the rows of one range at a time, for about {} ms", batch_aim(engine).as_millis()),
                rows,
                sql: vec![format!(
                    "UPDATE {table} SET {} WHERE (range of the key) AND ({})",
                    it.assignments, it.unfilled
                )],
            }
        }
        Step::Verify(it) => StepOutlook {
            what: format!("verify that {}", it.what),
            lock: "none; reads the table once".to_owned(),
            rows: None,
            sql: vec![it.strict],
        },
    }
}

impl Outlook {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}: what `phasegate run` would do from here\n", self.database);
        for change in &self.changes {
            text.push_str(&format!("\n{} ({}) is {}\n", change.name, change.file, change.span));
            if change.moves.is_empty() {
                text.push_str("  nothing to do\n");
            }
            if change.hidden {
                text.push_str("  its old shape is hidden, and `target: migrated` brings it back\n");
            }
            for one in &change.moves {
                one.write(&mut text);
                if let Some(soak) = change.soak.as_ref().filter(|_| one.step.to() == SchemaPhase::Contracted) {
                    text.push_str(&format!("    once hidden, {soak}\n"));
                }
            }
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let changes: Vec<Value> = self
            .changes
            .iter()
            .map(|change| {
                json!({
                    "name": change.name,
                    "file": change.file,
                    "phase": change.span.at().as_str(),
                    "hidden": change.hidden,
                    "soak": change.soak,
                    "moves": change.moves.iter().map(MoveOutlook::json).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({"database": self.database, "changes": changes})
    }
}

impl MoveOutlook {
    fn write(&self, text: &mut String) {
        text.push_str(&format!("  {} -> {}\n", self.step.from(), self.step.to()));
        for by in &self.blocked_by {
            text.push_str(&format!("    blocked by {by}\n"));
        }
        match &self.steps {
            Err(why) => text.push_str(&format!("    cannot be told from here: {why}\n")),
            Ok(steps) if steps.is_empty() => text.push_str("    passed through: no statement\n"),
            Ok(steps) => {
                for (index, step) in steps.iter().enumerate() {
                    let rows = step.rows.map(|rows| format!("; {} rows", count(rows))).unwrap_or_default();
                    text.push_str(&format!("    {}. {}\n       lock: {}{rows}\n", index + 1, step.what, step.lock));
                    for sql in &step.sql {
                        let sql = sql.trim().replace('\n', "\n         ");
                        text.push_str(&format!("         {sql};\n"));
                    }
                }
            }
        }
        match &self.losses {
            Err(why) => text.push_str(&format!("    loss: cannot be counted from here: {why}\n")),
            Ok(losses) => {
                for lost in losses {
                    let accepted = self.accepted;
                    text.push_str(&format!("    loses {} {} (Git accepts {accepted})\n", lost.rows, lost.what));
                }
            }
        }
    }

    fn json(&self) -> Value {
        let steps = self.steps.as_ref().map(|steps| {
            steps
                .iter()
                .map(|step| json!({"what": step.what, "lock": step.lock, "rows": step.rows, "sql": step.sql}))
                .collect::<Vec<_>>()
        });
        let losses = self
            .losses
            .as_ref()
            .map(|losses| losses.iter().map(|lost| json!({"what": lost.what, "rows": lost.rows})).collect::<Vec<_>>());
        json!({
            "from": self.step.from().as_str(),
            "to": self.step.to().as_str(),
            "blocked_by": self.blocked_by,
            "steps": steps.as_ref().ok(),
            "steps_unknown": steps.as_ref().err(),
            "losses": losses.as_ref().ok(),
            "losses_unknown": losses.as_ref().err(),
            "accepted_loss": self.accepted,
        })
    }
}
