//! Integrity queries, and replicas that the apps read from.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_integrity_query_answers_what_was_declared_or_the_canary_waits() {
    let other = || QueryAnswer::Other("more than one row".to_owned());
    let rows = [
        (Some(0), QueryAnswer::Number(0.0), "proceed"),
        (Some(3), QueryAnswer::Number(3.0), "proceed"),
        (Some(0), QueryAnswer::Number(1.0), "wait"),
        (Some(0), QueryAnswer::NoRow, "undecided"),
        (Some(0), QueryAnswer::Null, "undecided"),
        (Some(0), other(), "undecided"),
        (None, QueryAnswer::NoRow, "proceed"),
        (None, QueryAnswer::Number(0.0), "wait"),
        (None, QueryAnswer::Null, "wait"),
        (None, other(), "wait"),
    ];
    for (at_most, answer, want) in rows {
        let bench = bench();
        bench.declare(|access| access.integrity = vec![query(at_most)]);
        *bench.checks.answer.lock().unwrap() = Some(Says::this(answer.clone()));
        let (verdict, told) = bench.ask().await;
        assert_eq!(verdict, want, "{at_most:?} {answer:?}: {told}");
        assert!(
            want == "proceed" || want == "undecided" || told.contains("integrity query orphans: it answers"),
            "{told}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_has_not_followed_is_waited_for() {
    let bench = bench();
    bench.reports();
    bench.says("undecided", "").await;
    let replica = MemoryLedger::new();
    *bench.checks.replica.lock().unwrap() = Some(Says::this(replica.clone()));
    let at = |span| replica.put(Some(split_at(span)));
    let rows: [(&dyn Fn(), &str, &str); 4] = [
        (&|| replica.put(None), "wait", "replica reports: its ledger has not arrived yet"),
        (
            &|| at(at_rest(SchemaPhase::Synced)),
            "wait",
            "replica reports: it shows split-full-name at synced; v2 needs migrated..contracted",
        ),
        (&|| at(Span::Acting(step(SchemaPhase::Synced, SchemaPhase::Migrated))), "wait", "it shows split-full-name"),
        (&|| at(at_rest(SchemaPhase::Migrated)), "proceed", ""),
    ];
    for (set, verdict, why) in rows {
        set();
        advance(Duration::from_secs(11)).await;
        bench.says(verdict, why).await;
    }
    // One that shows the same, of another database.
    let memory = ServerIdentity("memory".to_owned());
    let another = ServerIdentity("another".to_owned());
    replica.set_server(another.clone());
    replica.put(Some(LedgerState { server: another, ..split_at(at_rest(SchemaPhase::Migrated)) }));
    advance(Duration::from_secs(11)).await;
    bench.says("wait", "replica reports: its ledger was not written on the primary: it is no copy of it").await;
    replica.set_server(memory);
    replica.put(Some(crate::testing::ledger(Vec::new())));
    advance(Duration::from_secs(11)).await;
    bench.says("wait", "a change that the version names has not arrived there yet").await;
}
