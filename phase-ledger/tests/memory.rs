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
            Tamper::Junk(_) => return Ok(Tampered::NotPossible),
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
