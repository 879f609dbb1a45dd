//! The soak of a contract: the old shape is hidden, and can be brought back with nothing lost, until its time is over or a
//! commit says so.
//!
//! A run does not sit through it. It hides, says for how long, and ends; whichever run comes next looks at who is live
//! and at what Git asks, and takes the contract back, leaves it soaking, or finishes it. The time that has passed is
//! told by the database server's clock alone.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use phase_ledger::{HIDDEN, LedgerEngine, Record, Transaction, hidden, hidden_since};
use schema_changes::{Engine, SchemaChange, Soak, Step, WayBack};
use schema_phases::{Move, Movement, SchemaPhase, Target, may_finish};

use crate::{
    halt::{Halt, MoveError},
    live::versions,
    moves::plain,
    protocol::{Attempt, Hand},
    report::Event,
};

/// The change in the form in which its contract began: once hidden, its steps stay those of a contract that hides,
/// whatever Git says of a soak by now.
pub(crate) fn as_begun(change: &SchemaChange, is_hidden: bool) -> Cow<'_, SchemaChange> {
    if is_hidden && change.soak.is_none() {
        let mut begun = change.clone();
        begun.soak = Some(Soak::For(Duration::ZERO));
        return Cow::Owned(begun);
    }
    Cow::Borrowed(change)
}

/// Whether something was done since the old shape was hidden: what follows the soak goes on to its end.
pub(crate) fn is_over(done: &BTreeSet<u32>, script: &[Step]) -> bool {
    let hides = |step: &Step| matches!(step, Step::Hide { .. } | Step::HideAlone(_));
    let Some(place) = script.iter().position(hides).and_then(|place| u32::try_from(place).ok()) else { return false };
    done.iter().any(|done| *done > place && *done != HIDDEN)
}

impl Attempt<'_> {
    /// The change in the form in which this move of it began, whatever Git says of a soak by now. Of a contract of many
    /// statements that is told by what is done: each form has places in which the other one has nothing to do.
    pub(crate) async fn form<'c>(
        &mut self,
        change: &'c SchemaChange,
        step: Move,
        done: &BTreeSet<u32>,
        is_hidden: bool,
    ) -> Result<Cow<'c, SchemaChange>, Halt> {
        if is_hidden || done.is_empty() || step.to() != SchemaPhase::Contracted {
            return Ok(as_begun(change, is_hidden));
        }
        let (mut at_once, soaking) = (change.clone(), as_begun(change, true).into_owned());
        at_once.soak = None;
        let (short, long) = (self.script(&at_once, step).await?, self.script(&soaking, step).await?);
        let at = |script: &[Step], place: u32| usize::try_from(place).ok().and_then(|place| script.get(place).cloned());
        let only_short = |place: &u32| {
            matches!(at(&short, *place), Some(Step::Alone(_))) && at(&long, *place).is_some_and(|step| step.is_empty())
        };
        let only_long = |place: &u32| at(&short, *place).is_none() && at(&long, *place).is_some();
        Ok(if done.iter().any(only_short) {
            // It would hide what nothing keeps in step any more.
            Cow::Owned(at_once)
        } else if done.iter().any(only_long) {
            Cow::Owned(soaking)
        } else {
            Cow::Borrowed(change)
        })
    }

    /// Whether the hidden shape may go now. It is taken back when a live version needs it or Git asks for less.
    pub(crate) async fn soak(&mut self, hand: &mut Hand<'_>) -> Result<(), Halt> {
        self.still_wanted().await?;
        let catalog = self.catalog(hand.change).await?;
        if self.ports.moves.is_coming_back(hand.change, &catalog) {
            return Err(self.take_back(hand, vec!["a run before, which did not come to its end".to_owned()]).await);
        }
        let target = hand.change.target;
        if target != Target::Reach(SchemaPhase::Contracted) {
            return Err(self.take_back(hand, vec!["Git asks for less than contracted".to_owned()]).await);
        }
        let live = self.see_for(hand.change, hand.step).await?;
        let state = self.state().await?;
        match may_finish(&hand.change.profile.name, hand.step, &state.live_changes(), &versions(&live)) {
            Movement::Allowed => {}
            Movement::Blocked(blockers) => {
                let by = blockers.iter().map(ToString::to_string).collect();
                return Err(self.take_back(hand, by).await);
            }
            Movement::Undecided(missing) => return Err(Halt::Undecided(missing)),
        }
        let soak = hand.change.soak.unwrap_or(Soak::For(Duration::ZERO));
        let rows = match ledger_engine(self.plan.database.engine) {
            Some(engine) => self.session.query(&hidden_since(engine, &hand.change.profile.name)).await?,
            None => Vec::new(),
        };
        let hidden = hidden(&rows);
        // Without a line of history nobody knows how long it has been: no time has passed.
        let lasted = hidden.as_ref().map_or(Duration::ZERO, |hidden| hidden.lasted);
        let since = hidden.map(|hidden| hidden.since);
        match soak {
            Soak::Held => Err(Halt::Soaking { since, left: None }),
            Soak::For(time) if lasted < time => Err(Halt::Soaking { since, left: Some(time.saturating_sub(lasted)) }),
            Soak::For(_) => Ok(()),
        }
    }

    /// Brings the hidden shape back, where that is one transaction together with what the ledger says of it; then everything
    /// is counted.
    async fn take_back(&mut self, hand: &mut Hand<'_>, by: Vec<String>) -> Halt {
        match self.bring_back(hand, by).await {
            Ok(()) => Halt::TakenBack,
            Err(halt) => halt,
        }
    }

    async fn bring_back(&mut self, hand: &mut Hand<'_>, by: Vec<String>) -> Result<(), Halt> {
        let name = hand.change.profile.name.clone();
        let catalog = self.catalog(hand.change).await?;
        let restore = self.ports.moves.restore(hand.change, &catalog);
        let restore = restore.map_err(|cannot| Halt::from(MoveError::Refused { why: cannot.why }))?;
        let Some(way) = restore else {
            let why = "the ledger says that its old shape is hidden, and it is not there under the hidden name; rename \
                       it back to that name, or restore it from a backup";
            return Err(MoveError::Drifted { what: vec![why.to_owned()] }.into());
        };
        let settle = Record::Settle(name.clone(), hand.step.from());
        match way {
            WayBack::Together { what, tables, statements } => {
                let transaction = Transaction {
                    lock_tables: tables,
                    work: statements.iter().map(|sql| plain(sql)).collect(),
                    records: vec![settle],
                    ..Transaction::default()
                };
                self.commit_patiently(hand, transaction).await?;
                self.report(Event::StepDone { change: name.clone(), step: hand.step, what });
            }
            WayBack::Apart(all) => {
                for alone in all {
                    if self.stop.is_set() {
                        return Err(Halt::Stopped);
                    }
                    if self.alone(hand, &alone).await? {
                        self.report(Event::StepDone { change: name.clone(), step: hand.step, what: alone.what });
                    }
                }
                self.record(vec![settle]).await?;
            }
        }
        self.report(Event::TakenBack { change: name, by });
        // Whoever dropped a trigger while it was hidden let writes pass it.
        self.check_rows(hand.change).await
    }
}

/// The ledger's word for an engine, when it has a driver for it.
pub(crate) fn ledger_engine(engine: Engine) -> Option<LedgerEngine> {
    LedgerEngine::ALL.into_iter().find(|known| known.as_str() == engine.as_str())
}
