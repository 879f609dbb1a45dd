use std::sync::atomic::Ordering;

use phase_ledger::memory::Reads;
use tokio::time::{advance, timeout};

use super::*;
use crate::{
    ports::fake::FakeLedgers,
    testing::{at_rest, split_at},
};

fn access(url: &str) -> Access {
    Access::new(url.parse().unwrap(), AccessKey::of(url), None)
}

#[tokio::test(start_paused = true)]
async fn one_connection_serves_many_reads_and_is_closed_when_idle() {
    let ledgers = FakeLedgers::new();
    ledgers.memory.put(Some(split_at(at_rest(schema_phases::SchemaPhase::Synced))));
    let readers = Readers::new(Arc::new(ledgers.clone()));
    for _ in 0..5 {
        assert!(readers.read(&access("sqlite:///a")).await.unwrap().is_some());
        advance(Duration::from_secs(20)).await;
        readers.close_idle(Duration::from_secs(90));
    }
    assert_eq!((ledgers.opened.load(Ordering::SeqCst), ledgers.closed.load(Ordering::SeqCst)), (1, 0));
    advance(Duration::from_secs(90)).await;
    readers.close_idle(Duration::from_secs(90));
    assert_eq!((readers.open(), ledgers.closed.load(Ordering::SeqCst)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_failed_or_hung_is_closed() {
    let ledgers = FakeLedgers::new();
    let readers = Readers::new(Arc::new(ledgers.clone()));
    ledgers.memory.reads(Reads::Fail(Arc::new(|| ReadError::Unreachable { cause: "refused".into() })));
    let refused = readers.read(&access("sqlite:///a")).await.unwrap_err();
    assert_eq!(refused, Because::Unreachable("cannot reach the database of the ledger: refused".to_owned()));
    ledgers.memory.reads(Reads::Hang);
    assert!(timeout(Duration::from_secs(1), readers.read(&access("sqlite:///a"))).await.is_err());
    assert_eq!((ledgers.opened.load(Ordering::SeqCst), ledgers.closed.load(Ordering::SeqCst)), (2, 2));
    ledgers.memory.reads(Reads::Answer);
    assert!(readers.read(&access("sqlite:///a")).await.is_ok());
    assert_eq!((ledgers.opened.load(Ordering::SeqCst), readers.open()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn more_connections_than_the_limit_are_not_kept() {
    let ledgers = FakeLedgers::new();
    let readers = Readers::new(Arc::new(ledgers.clone()));
    for number in 0..MOST + 10 {
        readers.read(&access(&format!("sqlite:///{number}"))).await.unwrap();
    }
    assert_eq!((readers.open(), ledgers.closed.load(Ordering::SeqCst)), (MOST, 10));
}

#[test]
fn every_error_of_a_ledger_is_a_missing_fact_with_its_remedy() {
    let rows = [
        (ReadError::Standby, "Untrusted", "primary"),
        (ReadError::NotPermitted { table: "t".into() }, "NotPermitted", "grant"),
        (ReadError::Format { found: 9, known: 1 }, "Untrusted", "newer Phasegate"),
        (ReadError::Unexplained { objects: "x".into() }, "Untrusted", "adopt"),
        (ReadError::OtherServer { found: "a".into(), recorded: "b".into() }, "Untrusted", "phasegate run"),
        (ReadError::Unreachable { cause: "refused".into() }, "Unreachable", "refused"),
    ];
    for (error, kind, remedy) in rows {
        let told = format!("{:?}", because(error));
        assert!(told.starts_with(kind) && told.contains(remedy), "{told}");
    }
}
