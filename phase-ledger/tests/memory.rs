//! The fake keeps the rules that the drivers keep.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

use async_trait::async_trait;
use phase_ledger::{
    LedgerReader, ServerIdentity, Session, Statement, WriteError,
    conformance::{Bench, Broken, Tamper, Tampered},
    ledger_conformance,
    memory::Memory,
};

struct MemoryBench(Memory);

impl MemoryBench {
    async fn new() -> Self {
        let memory = Memory::new();
        memory.on_work(|statement| match statement.sql.as_str() {
            "REFUSED BY EVERY ENGINE" => {
                Err(WriteError::Refused { statement: statement.sql.clone(), cause: "the fake refuses it".into() })
            }
            sql if sql.contains("(1), (2)") => Ok(2),
            sql if sql.starts_with("INSERT") => Ok(1),
            _ => Ok(0),
        });
        Self(memory)
    }
}

#[async_trait]
impl Bench for MemoryBench {
    fn reader(&self) -> Box<dyn LedgerReader> {
        Box::new(self.0.reader())
    }

    async fn session(&self) -> Result<Box<dyn Session>, Broken> {
        Ok(Box::new(self.0.session()))
    }

    async fn tamper(&self, what: Tamper) -> Result<Tampered, Broken> {
        match what {
            Tamper::Format(format) | Tamper::ForeignFormat(format) => self.0.set_format(format),
            Tamper::Artefact => self.0.add_artefact("trigger zzz_phasegate_items"),
            Tamper::DropLedger => self.0.put(None),
            Tamper::OtherServer => self.0.set_server(ServerIdentity("another".to_owned())),
            Tamper::Junk(_) | Tamper::Missing(_) | Tamper::Golden(_) => return Ok(Tampered::NotPossible),
        }
        Ok(Tampered::Done)
    }

    async fn items(&self) -> Result<u64, Broken> {
        let inserted = |statement: &Statement| match statement.sql.as_str() {
            sql if sql.contains("(1), (2)") => 2,
            sql if sql.starts_with("INSERT INTO items") => 1,
            _ => 0,
        };
        Ok(self.0.work().iter().map(inserted).sum())
    }

    async fn history(&self) -> Result<Vec<String>, Broken> {
        let line = |line: phase_ledger::memory::Remembered| {
            let change = line.change.map(|change| format!("{change} ")).unwrap_or_default();
            format!("{} {change}{}", line.generation.0, line.event)
        };
        Ok(self.0.history().into_iter().map(line).collect())
    }

    async fn hold(&self) -> Result<(), Broken> {
        self.0.lock_table("items", "pid 1");
        Ok(())
    }

    async fn release(&self) -> Result<(), Broken> {
        self.0.unlock_table("items");
        Ok(())
    }

    fn slow(&self) -> Option<Statement> {
        None
    }
}

ledger_conformance!(MemoryBench::new());

mod faults {
    //! What a test can ask of the fake.

    use std::{sync::Arc, time::Duration};

    use phase_ledger::{
        Generation, ReadError, Reading, Transaction,
        memory::{Reads, WriteFault},
    };
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn reads_fail_hang_and_come_back() {
        let memory = Memory::new();
        let (reader, mut session) = (memory.reader(), memory.session());
        memory.reads(Reads::Fail(Arc::new(|| ReadError::NotPermitted { table: "t".to_owned() })));
        assert!(matches!(reader.read().await, Err(ReadError::NotPermitted { .. })));
        assert!(matches!(session.read().await, Err(ReadError::NotPermitted { .. })));
        assert!(matches!(session.try_lock().await, Err(WriteError::Read(ReadError::NotPermitted { .. }))));
        memory.reads(Reads::Hang);
        assert!(timeout(SOON, reader.read()).await.is_err());
        memory.reads(Reads::Answer);
        assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);
        memory.set_standby(true);
        assert!(matches!(reader.read().await, Err(ReadError::Standby)));
        memory.set_standby(false);
        memory.set_pooled(true);
        assert!(matches!(session.try_lock().await, Err(WriteError::Read(ReadError::Pooler))));
    }

    #[tokio::test]
    async fn writes_fail_before_or_after_the_fact() {
        let memory = Memory::new();
        let mut session = memory.session();
        let work = Transaction { work: vec![Statement::plain("UPDATE x")], ..Transaction::default() };
        let generation = session.take_over("a test").await.unwrap();
        let conflict = WriteError::Conflict { change: "a".parse().unwrap() };
        memory.next_writes([WriteFault::Fail(conflict), WriteFault::AnswerLost, WriteFault::Hang]);
        assert!(matches!(session.commit(generation, &work).await, Err(WriteError::Conflict { .. })));
        assert_eq!(memory.work().len(), 0);
        assert!(matches!(session.commit(generation, &work).await, Err(WriteError::Transient { .. })));
        assert_eq!(memory.work().len(), 1, "it happened, and nobody was told");
        assert!(timeout(SOON, session.commit(generation, &work)).await.is_err());
        session.commit(generation, &work).await.unwrap();
        assert_eq!(memory.work().len(), 2);
    }

    #[tokio::test]
    async fn broken_connections_stay_broken_and_free_the_lock() {
        let memory = Memory::new();
        let mut old = memory.session();
        assert!(old.try_lock().await.unwrap() && memory.is_locked());
        old.take_over("a test").await.unwrap();
        memory.break_connections();
        assert!(!memory.is_locked());
        assert!(matches!(old.heartbeat().await, Err(WriteError::Transient { .. })));
        assert!(matches!(old.read().await, Err(ReadError::Unreachable { .. })));
        assert!(matches!(old.query(&Statement::plain("SELECT 1")).await, Err(ReadError::Unreachable { .. })));
        let late = old.commit(Generation(1), &Transaction::default()).await;
        assert!(matches!(late, Err(WriteError::Transient { .. })));
        let mut new = memory.session();
        assert!(new.try_lock().await.unwrap());
        drop(old);
        assert!(memory.is_locked(), "the old one has nothing left to free");
    }
}
