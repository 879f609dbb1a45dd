//! A ledger at a phase of our choice, written the way the runner writes it.

use std::time::Duration;

use phase_ledger::{BackfillProgress, Generation, Record, Session, Transaction, open_session};
use schema_changes::Plan;
use schema_phases::{ChangeName, Move, SchemaPhase};

/// The one runner of a database. It runs no statement of a plan: the gate believes the ledger.
pub(crate) struct Ledger {
    session: Box<dyn Session>,
    generation: Generation,
    change: ChangeName,
    at: SchemaPhase,
}

impl Ledger {
    /// Begins the ledger of the plan's only change.
    pub(crate) async fn begin(url: &str, plan: &Plan) -> Self {
        let mut session = open_session(&url.parse().unwrap()).await.unwrap();
        assert!(session.try_lock().await.unwrap());
        let generation = session.take_over("a test").await.unwrap();
        let [change] = plan.changes.as_slice() else { panic!("one change was expected") };
        let mut records = vec![Record::Plan(plan.digest.clone())];
        let (profile, definition) = (change.profile.clone(), change.definition.clone());
        records.push(Record::Register { profile, definition });
        let change = change.profile.name.clone();
        let mut ledger = Self { session, generation, change, at: SchemaPhase::Pending };
        ledger.write(records).await;
        ledger
    }

    /// Moves the change to a later phase, one move after the other.
    pub(crate) async fn reach(&mut self, phase: SchemaPhase) {
        while self.at < phase {
            let step = self.step();
            self.write(vec![Record::Intend(self.change.clone(), step), Record::Act(self.change.clone(), step)]).await;
            self.settle(step).await;
        }
    }

    /// Begins the next move and leaves it in the middle of its backfill.
    pub(crate) async fn backfill(&mut self, rows_done: u64, rows_total: u64) {
        let (change, step) = (self.change.clone(), self.step());
        let progress = BackfillProgress { step: 0, rows_done, rows_total, rows_per_second: 4_600, held: None };
        let records = vec![
            Record::Intend(change.clone(), step),
            Record::Act(change.clone(), step),
            Record::Backfill(change, progress),
        ];
        self.write(records).await;
    }

    /// Ends the move that [`Ledger::backfill`] began.
    pub(crate) async fn finish(&mut self) {
        self.settle(self.step()).await;
    }

    async fn settle(&mut self, step: Move) {
        self.write(vec![Record::Settle(self.change.clone(), step.to())]).await;
        self.at = step.to();
    }

    fn step(&self) -> Move {
        Move::new(self.at, self.at.next().unwrap()).unwrap()
    }

    async fn write(&mut self, records: Vec<Record>) {
        let lock_timeout = Duration::from_secs(1);
        let transaction = Transaction { records, lock_timeout, ..Transaction::default() };
        self.session.commit(self.generation, &transaction).await.unwrap();
    }
}
