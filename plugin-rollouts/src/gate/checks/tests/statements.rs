//! What a version brings as statements is prepared, and what the schema does not take is waited for.

use super::*;

#[tokio::test(start_paused = true)]
async fn statements_are_prepared_one_by_one_and_waited_for() {
    let text =
        "-- name: Get :one\nSELECT first_name FROM c;\n-- name: Add :exec\nINSERT INTO c (first_name) VALUES ($1)";
    let bench = bench().with_statements(text);
    bench.says("proceed", "").await;
    let prepared = bench.checks.prepared.lock().unwrap().clone();
    assert_eq!(prepared, ["SELECT first_name FROM c", "INSERT INTO c (first_name) VALUES ($1)"]);
    bench.checks.refused.lock().unwrap().push("first_name".to_owned());
    let told = "statements: the schema does not take 2 of 2: Get: column \"first_name\" does not exist; Add: column";
    bench.says("wait", told).await;
    bench.checks.refused.lock().unwrap().clear();
    bench.checks.required.lock().unwrap().insert("c".to_owned(), vec!["full_name".to_owned()]);
    advance(Duration::from_secs(11)).await;
    bench.says("wait", "1 of 2: Add: it gives c.full_name no value, which is NOT NULL without a default").await;
    bench.checks.required.lock().unwrap().insert("c".to_owned(), vec!["FIRST_NAME".to_owned()]);
    advance(Duration::from_secs(11)).await;
    bench.says("proceed", "").await;
}

#[tokio::test(start_paused = true)]
async fn no_statement_is_ever_refused_for_and_a_broken_file_is_a_missing_fact() {
    let bench = bench().with_statements("SELECT 'a");
    bench.says("undecided", "ConfigMap shop-sql in namespace store: q.sql:1: the string that begins here").await;
    let mut bench = bench.with_statements("-- nothing");
    bench.says("undecided", "holds no statement").await;
    bench.checks.refused.lock().unwrap().push("SELECT".to_owned());
    bench.question.config.when_overdue = WhenOverdue::Wait;
    let bench = bench.with_statements("SELECT 1");
    for _ in 0..1_000 {
        advance(Duration::from_secs(20)).await;
        bench.says("wait", "statements: ").await;
    }
    let many: String = (0..9).map(|at| format!("SELECT {at};")).collect();
    advance(Duration::from_secs(20)).await;
    bench.with_statements(&many).says("wait", "does not take 9 of 9: q.sql line 1: column \"SELECT\" does").await;
}
