//! Figures, printed rather than judged; a debug build halves them, so name a release build:
//! `PHASEGATE_BINARY=.../release/phasegate cargo test -p tests --test runner figures -- --ignored --nocapture`.

use std::time::Instant;

use crate::{
    binary::{run, run_command, said},
    database::Database,
    project::{Project, V1},
};

const ROWS: i64 = 300_000;

async fn figure(database: Database) {
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: synced");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &[]);
    let per_second = |seconds: f64| ROWS as f64 / seconds;

    let (first, last) = if database.is_postgres() {
        ("split_part(full_name, ' ', 1)", "split_part(full_name, ' ', 2)")
    } else {
        ("substr(full_name, 1, instr(full_name, ' ') - 1)", "substr(full_name, instr(full_name, ' ') + 1)")
    };
    let began = Instant::now();
    let mut connection = database.connect().await;
    let all = format!("UPDATE customers SET first_name = {first}, last_name = {last}");
    connection.execute(Box::leak(all.into_boxed_str()), &[]).await.unwrap();
    connection.close().await;
    println!(
        "figure {} one_update rows_per_second={:.0}",
        database.engine(),
        per_second(began.elapsed().as_secs_f64())
    );

    project.goal("revertTo: expanded");
    run(&database, &project).await.expect(0, &[]);
    if database.is_postgres() {
        database.execute("VACUUM FULL customers").await;
    }
    project.goal("target: synced");
    run(&database, &project).await.expect(0, &[]);
    project.goal("target: migrated");
    let began = Instant::now();
    said(run_command(&database, &project, &[])).await.expect(0, &["is migrated"]);
    println!(
        "figure {} backfill_and_verify rows_per_second={:.0}",
        database.engine(),
        per_second(began.elapsed().as_secs_f64())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn backfill_beside_one_update() {
    figure(Database::sqlite().await).await;
    figure(Database::postgres().await).await;
}
