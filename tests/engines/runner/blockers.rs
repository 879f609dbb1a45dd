//! Who blocks whom, as programs read it.

use serde_json::Value;

use crate::{
    binary::{run_command, said},
    database::Database,
    project::{Project, V1},
};

/// Somebody reads the table and does not end its transaction.
async fn reader_is_named(database: Database, holds: &str, who: &[&str]) {
    database.customers(50).await;
    let project = Project::split(&database, "target: expanded");
    project.live(&[V1]);
    let reader = database.reads_on("customers").await;
    let out = said(run_command(&database, &project, &["--output", "json", "--lock-patience", "4s"])).await;
    let out = out.expect(75, &[]);
    let events: Vec<Value> = out.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| {
        events.iter().find(|event| event["event"] == kind).unwrap_or_else(|| panic!("{kind}: {events:#?}"))
    };
    for event in [of("lock_wait"), of("failed")] {
        assert_eq!(event["change"], "split-full-name");
        assert!(event["table"].as_str().unwrap().contains(holds), "{event:#}");
        let held_by = event["held_by"].as_str().unwrap();
        assert!(who.iter().all(|who| held_by.contains(who)), "{event:#}");
    }
    assert!(of("lock_wait")["tries"].as_i64().unwrap() >= 5);
    reader.close().await;
    crate::binary::run(&database, &project).await.expect(0, &["is expanded"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_a_table_is_named_in_json_on_postgres() {
    reader_is_named(Database::postgres().await, "customers", &["pid ", "idle in transaction"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_a_table_is_named_in_json_on_mariadb() {
    reader_is_named(Database::mariadb().await, "ALTER TABLE `customers`", &["thread ", "admin"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_a_table_is_named_in_json_on_mysql() {
    reader_is_named(Database::mysql().await, "ALTER TABLE `customers`", &["thread ", "admin"]).await;
}
