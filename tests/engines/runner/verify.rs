//! Damage that a test plants: found, named, and never repaired in silence.

use crate::{
    binary::{Said, phasegate, run, said},
    database::Database,
    on_both,
    project::{Project, V1, V2},
};

async fn verify(database: &Database, project: &Project, more: &[&str]) -> Said {
    let first = ["verify", "--plan", project.plan.to_str().unwrap()];
    said(phasegate(&database.url(), &[&first, more].concat())).await
}

async fn migrated(database: &Database) -> Project {
    database.customers(1_000).await;
    let project = Project::split(database, "target: migrated");
    project.live(&[V1]);
    said(phasegate(&database.url(), &["verify", "--plan", project.plan.to_str().unwrap()]))
        .await
        .expect(0, &["no ledger"]);
    run(database, &project).await.expect(0, &["is migrated"]);
    let well = ["split-full-name is migrated: as the ledger says", "every row of customers is the same in both shapes"];
    verify(database, &project, &[]).await.expect(0, &well);
    project
}

on_both!(rows_changed_behind_the_triggers_back_are_named_and_stop_the_contract, rows);
async fn rows(database: Database) {
    let project = migrated(&database).await;
    behind_its_back(&database, "UPDATE customers SET full_name = 'Eve Brown' WHERE id IN (9, 700)").await;
    let told = ["NOT as the ledger says", "2 rows disagree", "id = 9; id = 700", "SELECT * FROM \"customers\" WHERE"];
    verify(&database, &project, &[]).await.expect(78, &told);
    let json = verify(&database, &project, &["--output", "json"]).await.expect(78, &[]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let found = &json["changes"][0]["disagrees"][0];
    assert_eq!((&found["rows"], &found["first"][1]), (&2.into(), &"id = 700".into()), "{json:#}");
    // The query shows exactly these rows.
    let query = found["query"].as_str().unwrap().replacen("SELECT *", "SELECT CAST(id AS text)", 1);
    assert_eq!(database.rows(&query).await.len(), 2);
    project.live(&[V2]);
    project.goal("target: contracted");
    run(&database, &project).await.expect(78, &["2 rows disagree", "id = 9; id = 700"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");
    // Mended: the old side, written once more, is converted.
    database.execute("UPDATE customers SET full_name = 'Eve Browne' WHERE id IN (9, 700)").await;
    verify(&database, &project, &[]).await.expect(0, &["as the ledger says"]);
    run(&database, &project).await.expect(0, &["is contracted"]);
}

on_both!(half_a_batch_is_found_before_migrated_is_written, half);
async fn half(database: Database) {
    database.customers(1_000).await;
    let project = Project::split(&database, "target: synced");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is synced"]);
    // A batch of somebody else that wrote one of the two columns, and died.
    behind_its_back(&database, "UPDATE customers SET first_name = 'Ann' || id WHERE id BETWEEN 100 AND 149").await;
    project.goal("target: migrated");
    let told = ["50 rows disagree", "(the first: id = 100; id = 101; id = 102; id = 103; id = 104)"];
    run(&database, &project).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "synced");
    behind_its_back(&database, "UPDATE customers SET first_name = NULL WHERE last_name IS NULL").await;
    behind_its_back(
        &database,
        "UPDATE customers SET first_name = 'Ann' || id, last_name = 'Lee' || id WHERE first_name IS NULL",
    )
    .await;
    run(&database, &project).await.expect(0, &["is migrated"]);
}

on_both!(a_trigger_that_is_gone_is_named_and_nothing_moves_any_more, gone);
async fn gone(database: Database) {
    let project = migrated(&database).await;
    let name = if database.is_postgres() {
        database.execute("DROP TRIGGER zzz_phasegate_split_full_name_u ON customers").await;
        "zzz_phasegate_split_full_name_u"
    } else {
        database.execute("DROP TRIGGER zzz_phasegate_split_full_name_un").await;
        "zzz_phasegate_split_full_name_un"
    };
    let told = [name, "is missing, disabled or altered", "put it back as it was"];
    verify(&database, &project, &[]).await.expect(78, &told);
    let json = verify(&database, &project, &["--output", "json"]).await.expect(78, &[]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let definition = json["changes"][0]["drift"][0]["definition"].as_str().unwrap().to_owned();
    assert!(definition.starts_with("CREATE TRIGGER"), "{json:#}");
    project.live(&[V2]);
    project.goal("target: contracted");
    run(&database, &project).await.expect(78, &told);
    run(&database, &project).await.expect(78, &["the database is not as the ledger says"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");
    assert_eq!(columns(&database).await, ["city", "first_name", "full_name", "id", "last_name"]);
    // On SQLite the definition is all there is to it; PostgreSQL's objects carry a comment too.
    if !database.is_postgres() {
        database.execute(&definition).await;
        run(&database, &project).await.expect(0, &["is contracted"]);
    }
}

on_both!(a_column_that_is_gone_or_demands_too_much_is_named, column);
async fn column(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: expanded");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is expanded"]);
    database.execute("ALTER TABLE customers DROP COLUMN last_name").await;
    let told = ["customers.last_name is not there, and the ledger says that the change is expanded"];
    verify(&database, &project, &[]).await.expect(78, &told);
    run(&database, &project).await.expect(78, &told);
    database.execute("ALTER TABLE customers ADD COLUMN last_name text DEFAULT 'x'").await;
    let told = ["customers.last_name has the default", "drop the default until the change is contracted"];
    run(&database, &project).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "expanded");
}

on_both!(a_column_that_was_there_before_the_change_is_named, before);
async fn before(database: Database) {
    database.customers(100).await;
    database.execute("ALTER TABLE customers ADD COLUMN first_name text").await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let told = ["customers.first_name is there already, and the ledger says that the change is pending"];
    run(&database, &project).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "pending");
}

async fn columns(database: &Database) -> Vec<String> {
    let names = if database.is_postgres() {
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1"
    } else {
        "SELECT name FROM pragma_table_info('customers') ORDER BY 1"
    };
    database.rows(names).await.into_iter().flatten().collect()
}

/// Writes that no trigger sees.
async fn behind_its_back(database: &Database, sql: &str) {
    crate::obstacles::without_triggers(database, sql).await;
}
