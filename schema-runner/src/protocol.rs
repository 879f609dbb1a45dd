//! One move of one change, in the order that keeps both rules true while gates and runner act at once: look, intend,
//! look again, act, settle; or withdraw.
//!
//! INVARIANT: nothing here touches the application's schema before an intent was committed and the live versions were
//! read again after it. Whether a move may be made is decided by `schema_phases` alone, the code that the model checker
//! explores under the same names.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use phase_ledger::{
    BackfillProgress, Generation, HIDDEN, LedgerEntry, LedgerState, Reading, Record, Session, Transaction,
};
use schema_changes::{Catalog, SchemaChange, Step};
use schema_phases::{ChangeName, Fit, Move, Movement, SchemaPhase, Sighting, may_move};
use tokio::time::Instant;

use crate::{
    catalog,
    halt::{Halt, MoveError},
    live::{LiveVersion, Presence, versions},
    patience::Waiter,
    report::Event,
    run::{self, Ports, Settings},
    signals::Stop,
    soak::is_over,
    steps::Carried,
};

/// One session's worth of work: what a runner holds between taking the lock and losing it.
pub(crate) struct Attempt<'a> {
    pub(crate) plan: &'a schema_changes::Plan,
    pub(crate) ports: &'a Ports<'a>,
    pub(crate) settings: &'a Settings,
    pub(crate) stop: &'a Stop,
    pub(crate) session: Box<dyn Session>,
    pub(crate) generation: Generation,
    pub(crate) progressed: &'a AtomicBool,
    /// Versions outside their windows at the last look: told once, counted in the summary.
    pub(crate) violations: BTreeSet<(String, ChangeName)>,
}

/// The move in hand.
pub(crate) struct Hand<'a> {
    pub(crate) change: &'a SchemaChange,
    pub(crate) step: Move,
    /// Whether the ledger says that it acts.
    pub(crate) acting: bool,
    pub(crate) done: BTreeSet<u32>,
    pub(crate) backfill: Option<BackfillProgress>,
    /// When the live versions were last seen to allow it.
    pub(crate) looked: Instant,
}

impl<'a> Attempt<'a> {
    /// Makes one move from rest to rest.
    pub(crate) async fn make(&mut self, change: &SchemaChange, step: Move) -> Result<(), Halt> {
        self.still_wanted().await?;
        self.look(change, step).await?;
        // What cannot be done, or loses too much, is known before anybody is told of an intent.
        let script = self.script(change, step).await?;
        self.accept_loss(change, step).await?;
        if step.to() == SchemaPhase::Contracted {
            // What stands only in the old shape would be lost without being counted.
            self.check_rows(change).await?;
            self.checkpoint(change).await?;
        }
        self.report(Event::Moving { change: change.profile.name.clone(), step });
        self.intend(change, step).await?;
        let mut hand =
            Hand { change, step, acting: false, done: BTreeSet::new(), backfill: None, looked: Instant::now() };
        let halted = match self.look_again(&mut hand).await {
            Ok(()) => self.act(&mut hand, &script).await,
            Err(halt) => Err(halt),
        };
        match halted {
            Ok(()) => self.settle(&hand).await,
            // Once the schema was touched the move goes on to its end, whoever runs it: the span stays.
            Err(halt) if hand.acting => Err(halt),
            Err(halt @ Halt::Lost(_)) => Err(halt),
            Err(halt) => {
                self.withdraw(change, step).await?;
                Err(halt)
            }
        }
    }

    /// Takes a move that a dead runner began to its end.
    pub(crate) async fn go_on(&mut self, change: &SchemaChange, step: Move) -> Result<(), Halt> {
        self.still_wanted().await?;
        let state = self.state().await?;
        let entry = state.change(&change.profile.name);
        let is_hidden = entry.is_some_and(LedgerEntry::is_hidden);
        let done = entry.map(|entry| entry.done.clone()).unwrap_or_default();
        let form = self.form(change, step, &done, is_hidden).await?;
        let mut hand = Hand {
            change: &form,
            step,
            acting: true,
            done,
            backfill: entry.and_then(|entry| entry.backfill.clone()),
            looked: Instant::now(),
        };
        let script = self.script(&form, step).await?;
        let last = hand.done.iter().copied().filter(|done| *done != HIDDEN).max();
        if !is_hidden && self.ends_before(&form, step, last).await? {
            // A soak that Git asks for since the old shape went comes too late.
            return self.settle(&hand).await;
        }
        if let Some(done) = last.filter(|done| *done as usize >= script.len()) {
            return Err(MoveError::OtherSteps { done, steps: script.len() }.into());
        }
        self.act(&mut hand, &script).await?;
        self.settle(&hand).await
    }

    /// Whether a contract without a soak had come to its end, with only its record missing.
    async fn ends_before(&mut self, change: &SchemaChange, step: Move, last: Option<u32>) -> Result<bool, Halt> {
        let Some(last) = last.filter(|_| change.soak.is_some() && step.to() == SchemaPhase::Contracted) else {
            return Ok(false);
        };
        let mut plain = change.clone();
        plain.soak = None;
        Ok(self.script(&plain, step).await?.len() == last as usize + 1)
    }

    /// Whether this plan is the one that Git wants, before anything is done for it.
    pub(crate) async fn still_wanted(&self) -> Result<(), Halt> {
        run::wanted(self.plan, self.ports).await
    }

    /// The second rule, asked before the intent.
    async fn look(&mut self, change: &SchemaChange, step: Move) -> Result<(), Halt> {
        let live = self.see_for(change, step).await?;
        let state = self.state().await?;
        match may_move(&change.profile.name, step, &state.live_changes(), &versions(&live)) {
            Movement::Allowed => Ok(()),
            Movement::Blocked(blockers) => Err(Halt::Blocked(blockers.iter().map(ToString::to_string).collect())),
            Movement::Undecided(missing) => Err(Halt::Undecided(missing)),
        }
    }

    /// Tells every gate that asks from now on.
    async fn intend(&mut self, change: &SchemaChange, step: Move) -> Result<(), Halt> {
        self.record(vec![Record::Intend(change.profile.name.clone(), step)]).await
    }

    /// The second rule, asked after the intent: whoever came in meanwhile is seen now, and whoever comes later sees the
    /// intent. The wanted plan too: consumers travel in it, and one may have been declared since.
    pub(crate) async fn look_again(&mut self, hand: &mut Hand<'_>) -> Result<(), Halt> {
        self.still_wanted().await?;
        self.look(hand.change, hand.step).await?;
        hand.looked = Instant::now();
        Ok(())
    }

    /// Touches the schema, step by step; the first transaction also writes that it does.
    async fn act(&mut self, hand: &mut Hand<'_>, script: &[Step]) -> Result<(), Halt> {
        if hand.done.contains(&HIDDEN) && !is_over(&hand.done, script) {
            self.soak(hand).await?;
        }
        if self.carry_out(hand, script).await? == Carried::Hidden {
            self.soak(hand).await?;
            let rest = self.script(hand.change, hand.step).await?;
            self.carry_out(hand, &rest).await?;
        }
        if hand.step.is_forward() && hand.step.to() == SchemaPhase::Migrated {
            // Beside the steps and not one of them: whoever resumes the move asks again.
            self.check_integrity(hand).await?;
        }
        if hand.step.is_forward() && matches!(hand.step.to(), SchemaPhase::Synced | SchemaPhase::Migrated) {
            self.check_sync(hand.change).await?;
        }
        Ok(())
    }

    /// Writes that the phase is reached.
    async fn settle(&mut self, hand: &Hand<'_>) -> Result<(), Halt> {
        let name = hand.change.profile.name.clone();
        let mut records = Vec::new();
        if !hand.acting {
            records.push(Record::Act(name.clone(), hand.step));
        }
        if hand.step.to() == SchemaPhase::Migrated {
            // From here on gates let the new shape in, so later verifications must count what it wrote as right.
            records.push(Record::NewShapeLive(name.clone()));
        }
        records.push(Record::Settle(name.clone(), hand.step.to()));
        self.record(records).await?;
        self.report(Event::Reached { change: name, phase: hand.step.to() });
        Ok(())
    }

    /// Takes an intent back that has not touched the schema.
    pub(crate) async fn withdraw(&mut self, change: &SchemaChange, step: Move) -> Result<(), Halt> {
        self.record(vec![Record::Withdraw(change.profile.name.clone(), step)]).await
    }

    /// The live versions as of now, consumers included. Says which of them are outside their windows, and remembers
    /// whether a writer of a new shape came early.
    pub(crate) async fn see(&mut self) -> Result<Sighting<Vec<LiveVersion>>, Halt> {
        let mut live = self.ports.live.look().await;
        if let Sighting::Seen { value, .. } = &mut live {
            value.extend(self.plan.database.consumers.iter().map(|consumer| LiveVersion {
                version: schema_phases::AppVersion {
                    name: format!("consumer {}", consumer.name),
                    annotation: consumer.supports.clone(),
                },
                presence: Presence::Startable,
            }));
            let value = value.clone();
            self.note(&value).await?;
        }
        Ok(live)
    }

    async fn note(&mut self, live: &[LiveVersion]) -> Result<(), Halt> {
        let state = self.state().await?;
        let changes = state.live_changes();
        let mut violations = BTreeSet::new();
        let mut early = BTreeSet::new();
        for LiveVersion { version, .. } in live.iter().filter(|live| live.presence == Presence::Running) {
            for (entry, change) in state.changes.iter().zip(&changes) {
                let Ok(window) = version.window(&change.profile, &changes) else { continue };
                let span = change.span.settled();
                let fit = window.fit(span);
                if fit == Fit::Inside {
                    continue;
                }
                let name = change.profile.name.clone();
                if fit == Fit::TooEarly && !entry.new_shape_live {
                    early.insert(name.clone());
                }
                let violation = (version.name.clone(), name.clone());
                if !self.violations.contains(&violation) {
                    self.report(Event::Violation { version: version.name.clone(), change: name, span, window });
                }
                violations.insert(violation);
            }
        }
        self.violations = violations;
        if !early.is_empty() {
            self.record(early.into_iter().map(Record::NewShapeLive).collect()).await?;
        }
        Ok(())
    }

    /// The ledger as it is now.
    pub(crate) async fn state(&mut self) -> Result<LedgerState, Halt> {
        match self.session.read().await? {
            Reading::Ledger(state) => Ok(state),
            Reading::NotBegun => Err(Halt::Lost("the ledger is gone".to_owned())),
        }
    }

    /// Writes records and nothing else. They lock only the ledger's own rows, so this may wait a little.
    pub(crate) async fn record(&mut self, records: Vec<Record>) -> Result<(), Halt> {
        let lock_timeout = self.settings.ledger_wait;
        let transaction = Transaction { lock_timeout, records, ..Transaction::default() };
        self.patiently(&transaction).await
    }

    /// The steps of a move, on the catalog as it is.
    pub(crate) async fn script(&mut self, change: &SchemaChange, step: Move) -> Result<Vec<Step>, Halt> {
        let catalog = self.catalog(change).await?;
        let steps = self.ports.moves.steps(change, step, &catalog);
        steps.map_err(|cannot| MoveError::Refused { why: cannot.why }.into())
    }

    pub(crate) async fn catalog(&mut self, change: &SchemaChange) -> Result<Catalog, Halt> {
        let engine = self.plan.database.engine;
        Ok(catalog::read(self.session.as_mut(), engine, &change.profile.tables).await?)
    }

    /// Whoever waits for locks on behalf of this move.
    pub(crate) fn waiter(&self, hand: &Hand<'_>) -> Waiter<'a> {
        let change = hand.change.profile.name.clone();
        Waiter { change, step: hand.step, stop: self.stop, report: self.ports.report }
    }

    /// Something was written: what failed before does not count any more.
    pub(crate) fn progress(&self) {
        self.progressed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn report(&self, event: Event) {
        self.ports.report.tell(&event);
    }
}
