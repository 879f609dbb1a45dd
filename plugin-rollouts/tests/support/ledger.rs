//! A ledger that is written by hand, as a runner would.

use std::{fs, path::Path};

use phase_ledger::{Generation, Record, Session, Transaction, open_session};
use schema_phases::{ChangeProfile, Conversion, Move, PhaseWindow, SchemaPhase};

/// The change `split-full-name` of a SQLite file.
pub struct Runner {
    session: Box<dyn Session>,
    generation: Generation,
    at: SchemaPhase,
}

impl Runner {
    pub async fn start(file: &Path) -> Self {
        // The application's database, which is there before its ledger.
        fs::File::create(file).unwrap();
        let url = format!("sqlite://{}", file.display()).parse().unwrap();
        let mut session = open_session(&url).await.unwrap();
        assert!(session.try_lock().await.unwrap());
        let generation = session.take_over("test").await.unwrap();
        let profile = ChangeProfile {
            name: "split-full-name".parse().unwrap(),
            order: 1,
            tables: ["customers".to_owned()].into(),
            old_window: PhaseWindow::until(SchemaPhase::Migrated),
            new_window: PhaseWindow::NEW_SHAPE,
            conversion: Conversion::Rows,
        };
        let mut runner = Self { session, generation, at: SchemaPhase::Pending };
        runner.record(vec![Record::Register { profile, definition: "d".repeat(64) }]).await;
        runner
    }

    async fn record(&mut self, records: Vec<Record>) {
        let transaction = Transaction { records, ..Transaction::default() };
        self.session.commit(self.generation, &transaction).await.unwrap();
    }

    pub async fn reach(&mut self, goal: SchemaPhase) {
        let name = || "split-full-name".parse().unwrap();
        let (from, pairs) = (self.at, SchemaPhase::ALL.windows(2));
        for pair in pairs.skip_while(|pair| pair[0] < from).take_while(|pair| pair[1] <= goal) {
            let step = Move::new(pair[0], pair[1]).unwrap();
            self.record(vec![Record::Intend(name(), step)]).await;
            self.record(vec![Record::Act(name(), step)]).await;
            self.record(vec![Record::Settle(name(), pair[1])]).await;
            self.at = pair[1];
        }
    }
}
