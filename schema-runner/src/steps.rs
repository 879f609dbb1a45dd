//! The steps of a move, one after the other, each remembered in the ledger when it is done.

use phase_ledger::{HIDDEN, Record, Transaction, WriteError};
use schema_changes::{Alone, Step};
use schema_phases::{Move, SchemaPhase};

use crate::{
    halt::Halt,
    index,
    moves::plain,
    patience::Patience,
    protocol::{Attempt, Hand},
    report::Event,
    verify::number,
};

/// A look at the live versions that is older than this is taken again before the schema is first touched: locks may
/// have been waited for in between.
const LOOK_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

fn transaction(tables: &[String], statements: &[String]) -> Transaction {
    Transaction {
        lock_tables: tables.to_vec(),
        work: statements.iter().map(|sql| plain(sql)).collect(),
        ..Transaction::default()
    }
}

/// Whether the move takes something away that may not be rebuilt.
fn loses(step: Move) -> bool {
    !step.is_forward() || step.to() == SchemaPhase::Contracted
}

/// How far a script was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// To its end.
    Whole,
    /// The old shape is hidden now: what follows depends on the catalog after it, and on who is live then.
    Hidden,
}

impl Attempt<'_> {
    /// Carries out what is not done yet.
    pub(crate) async fn carry_out(&mut self, hand: &mut Hand<'_>, script: &[Step]) -> Result<Carried, Halt> {
        for (index, step) in (0_u32..).zip(script) {
            if hand.done.contains(&index) {
                continue;
            }
            if self.stop.is_set() {
                return Err(Halt::Stopped);
            }
            match step {
                _ if step.is_empty() => {}
                Step::Transaction { what, tables, statements } => {
                    self.before_touching(hand).await?;
                    self.touch(hand, transaction(tables, statements), index).await?;
                    self.done(hand, index, what.clone());
                }
                Step::Hide { what, tables, statements } => {
                    self.before_touching(hand).await?;
                    let mut hide = transaction(tables, statements);
                    hide.records.push(Record::Done(hand.change.profile.name.clone(), HIDDEN));
                    self.touch(hand, hide, index).await?;
                    hand.done.insert(HIDDEN);
                    self.done(hand, index, what.clone());
                    return Ok(Carried::Hidden);
                }
                Step::HideAlone(alone) => {
                    self.before_touching(hand).await?;
                    self.begin_acting(hand).await?;
                    self.alone(hand, alone).await?;
                    let name = &hand.change.profile.name;
                    self.record(vec![Record::Done(name.clone(), HIDDEN), Record::Done(name.clone(), index)]).await?;
                    hand.done.insert(HIDDEN);
                    self.done(hand, index, alone.what.clone());
                    return Ok(Carried::Hidden);
                }
                Step::Alone(alone) => {
                    self.before_touching(hand).await?;
                    self.begin_acting(hand).await?;
                    self.alone(hand, alone).await?;
                    self.record(vec![Record::Done(hand.change.profile.name.clone(), index)]).await?;
                    self.done(hand, index, alone.what.clone());
                }
                Step::Backfill(backfill) => {
                    self.begin_acting(hand).await?;
                    let filled = self.fill(hand, backfill, index).await?;
                    self.done(hand, index, filled);
                }
                Step::Verify(verification) => {
                    self.begin_acting(hand).await?;
                    self.check_sync(hand.change).await?;
                    let found = self.verify(hand.change, verification).await?;
                    self.record(vec![Record::Done(hand.change.profile.name.clone(), index)]).await?;
                    self.done(hand, index, found);
                }
            }
        }
        Ok(Carried::Whole)
    }

    fn done(&self, hand: &mut Hand<'_>, index: u32, what: String) {
        hand.done.insert(index);
        self.report(Event::StepDone { change: hand.change.profile.name.clone(), step: hand.step, what });
    }

    /// Before each statement that cannot be taken back: a newer plan must not find it done.
    async fn before_touching(&mut self, hand: &mut Hand<'_>) -> Result<(), Halt> {
        if loses(hand.step) {
            self.still_wanted().await?;
            if !hand.acting {
                self.accept_loss(hand.change, hand.step).await?;
            }
        }
        Ok(())
    }

    /// Writes that the schema is about to be touched, where that cannot be part of the statement itself.
    async fn begin_acting(&mut self, hand: &mut Hand<'_>) -> Result<(), Halt> {
        if !hand.acting {
            self.record(vec![Record::Act(hand.change.profile.name.clone(), hand.step)]).await?;
            hand.acting = true;
        }
        Ok(())
    }

    /// One short transaction under locks that are never waited for long, together with what the ledger says of it.
    async fn touch(&mut self, hand: &mut Hand<'_>, mut transaction: Transaction, index: u32) -> Result<(), Halt> {
        let name = hand.change.profile.name.clone();
        transaction.records.push(Record::Done(name.clone(), index));
        if !hand.acting {
            transaction.records.insert(0, Record::Act(name, hand.step));
        }
        self.commit_patiently(hand, transaction).await
    }

    /// One short transaction, tried until its locks can be had.
    pub(crate) async fn commit_patiently(
        &mut self,
        hand: &mut Hand<'_>,
        mut transaction: Transaction,
    ) -> Result<(), Halt> {
        let mut patience = Patience::new(self.settings.lock_patience);
        loop {
            if !hand.acting && hand.looked.elapsed() > LOOK_AGAIN_AFTER {
                self.look_again(hand).await?;
            }
            transaction.lock_timeout = patience.timeout();
            match self.session.commit(self.generation, &transaction).await {
                Ok(_) => {
                    hand.acting = true;
                    self.progress();
                    return Ok(());
                }
                Err(cause) => self.waiter(hand).wait(&mut patience, cause).await?,
            }
        }
    }

    /// One statement that cannot be in a transaction, on the connection that holds the lock, unless its effect is there.
    /// Returns whether it was run.
    pub(crate) async fn alone(&mut self, hand: &mut Hand<'_>, alone: &Alone) -> Result<bool, Halt> {
        let engine = self.plan.database.engine;
        if index::is_built(self.session.as_mut(), self.generation, engine, &alone.statement).await? {
            return Ok(false);
        }
        if let Some(present) = &alone.present {
            // A runner before may have died between the statement and its record.
            if number(self.session.as_mut(), present).await? == 1 {
                return Ok(false);
            }
        }
        let mut ways = std::iter::once(&alone.statement).chain(&alone.otherwise).peekable();
        while let Some(way) = ways.next() {
            match self.one_way(hand, way).await? {
                // Whatever was refused has not happened. The last way's refusal is the one that counts.
                Err(_) if ways.peek().is_some() => {}
                Err(refused) => return Err(refused.into()),
                Ok(()) => break,
            }
        }
        Ok(true)
    }

    /// One statement, tried until its locks are free; the inner error is the engine's refusal of the statement itself.
    async fn one_way(&mut self, hand: &mut Hand<'_>, way: &str) -> Result<Result<(), WriteError>, Halt> {
        let statement = plain(way);
        let mut patience = Patience::new(self.settings.lock_patience);
        loop {
            match self.session.run_alone(self.generation, &statement, patience.timeout()).await {
                Ok(()) => {
                    self.progress();
                    return Ok(Ok(()));
                }
                Err(refused @ WriteError::Refused { .. }) => return Ok(Err(refused)),
                Err(cause) => self.waiter(hand).wait(&mut patience, cause).await?,
            }
        }
    }

    /// A transaction of ledger records only, tried until the ledger's rows are free.
    pub(crate) async fn patiently(&mut self, transaction: &Transaction) -> Result<(), Halt> {
        let mut patience = Patience::new(self.settings.lock_patience);
        loop {
            match self.session.commit(self.generation, transaction).await {
                Ok(_) => {
                    // An intent is none: what fails behind it each time would be tried for ever.
                    if transaction.records.iter().any(|it| matches!(it, Record::Done(..) | Record::Settle(..))) {
                        self.progress();
                    }
                    return Ok(());
                }
                Err(cause @ WriteError::LockNotAvailable { .. }) => match patience.pause() {
                    // Not cut short by a signal: what this writes is what makes leaving safe.
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(cause.into()),
                },
                Err(cause) => return Err(cause.into()),
            }
        }
    }
}
