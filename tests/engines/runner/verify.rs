//! Damage that a test plants: found, named, and never repaired in silence.

use crate::{
    binary::{Said, phasegate, run, said},
    database::Database,
    on_each,
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

on_each!(rows_changed_behind_the_triggers_back_are_named_and_stop_the_contract, rows);
async fn rows(database: Database) {
    let project = migrated(&database).await;
    behind_its_back(&database, "UPDATE customers SET full_name = 'Eve Brown' WHERE id IN (9, 700)").await;
    let query =
        if database.is_mariadb() { "SELECT * FROM `customers` WHERE" } else { "SELECT * FROM \"customers\" WHERE" };
    let told = ["NOT as the ledger says", "2 rows disagree", "id = 9; id = 700", query];
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

on_each!(half_a_batch_is_found_before_migrated_is_written, half);
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

on_each!(a_trigger_that_is_gone_is_named_and_nothing_moves_any_more, gone);
async fn gone(database: Database) {
    let project = migrated(&database).await;
    let (name, drop) = drop_a_trigger(&database);
    database.execute(&drop).await;
    let told = [name, "is missing, disabled or altered", "put it back as it was"];
    verify(&database, &project, &[]).await.expect(78, &told);
    let json = verify(&database, &project, &["--output", "json"]).await.expect(78, &[]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let definition = json["changes"][0]["drift"][0]["definition"].as_str().unwrap().to_owned();
    assert!(definition.starts_with("CREATE ") && definition.contains(" TRIGGER "), "{json:#}");
    project.live(&[V2]);
    project.goal("target: contracted");
    run(&database, &project).await.expect(78, &told);
    run(&database, &project).await.expect(78, &["the database is not as the ledger says"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");
    assert_eq!(columns(&database).await, ["city", "first_name", "full_name", "id", "last_name"]);
    // On SQLite the definition is all there is to it; PostgreSQL's objects carry a comment too, MariaDB's an owner.
    if !database.is_postgres() && !database.is_mariadb() {
        database.execute(&definition).await;
        run(&database, &project).await.expect(0, &["is contracted"]);
    }
}

on_each!(a_column_that_is_gone_or_demands_too_much_is_named, column);
async fn column(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: expanded");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is expanded"]);
    database.execute("ALTER TABLE customers DROP COLUMN last_name").await;
    let told = ["customers.last_name is not there, and the ledger says that the change is expanded"];
    verify(&database, &project, &[]).await.expect(78, &told);
    run(&database, &project).await.expect(78, &told);
    let default = if database.engine() == "mysql" { "('x')" } else { "'x'" };
    database.execute(&format!("ALTER TABLE customers ADD COLUMN last_name text DEFAULT {default}")).await;
    let told = ["customers.last_name has the default", "drop the default until the change is contracted"];
    run(&database, &project).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "expanded");
}

on_each!(a_column_that_was_there_before_the_change_is_named, before);
async fn before(database: Database) {
    database.customers(100).await;
    database.execute("ALTER TABLE customers ADD COLUMN first_name text").await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let told = ["customers.first_name is there already, and the ledger says that the change is pending"];
    run(&database, &project).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "pending");
}

/// One of the sync triggers, and the statement that takes it away.
pub(crate) fn drop_a_trigger(database: &Database) -> (&'static str, String) {
    let name = if database.is_postgres() || database.is_mariadb() {
        "zzz_phasegate_split_full_name_u"
    } else {
        "zzz_phasegate_split_full_name_un"
    };
    let on = if database.is_postgres() { " ON customers" } else { "" };
    (name, format!("DROP TRIGGER {name}{on}"))
}

on_each!(a_constraint_that_a_change_made_and_is_gone_is_named, constraint);
async fn constraint(database: Database) {
    database.execute("CREATE TABLE regions (id bigint PRIMARY KEY)").await;
    let project = Project::new(&database);
    let table = "createTable: {table: depots, columns: {id: {type: bigint, primaryKey: true}, code: {type: varchar(9), \
                 unique: true}, region: {type: bigint, references: {table: regions, column: id}}}}";
    project.refactor("make-depots", "target: migrated", table);
    run(&database, &project).await.expect(0, &["is migrated"]);
    verify(&database, &project, &[]).await.expect(0, &["make-depots is migrated: as the ledger says"]);
    // SQLite takes no constraint away from a table that is there: one without them takes its place.
    let gone = if database.is_postgres() {
        "ALTER TABLE depots DROP CONSTRAINT depots_code_key, DROP CONSTRAINT depots_region_fkey, DROP CONSTRAINT depots_pkey"
    } else if database.is_mariadb() {
        "ALTER TABLE depots DROP INDEX code, DROP FOREIGN KEY depots_ibfk_1, DROP PRIMARY KEY"
    } else {
        "DROP TABLE depots; CREATE TABLE depots (id bigint NOT NULL, code varchar(9), region bigint)"
    };
    database.execute(gone).await;
    let told = [
        "PRIMARY KEY (id) of depots is not there or is another, and the ledger says that the change is migrated",
        "UNIQUE (code) of depots",
        "FOREIGN KEY (region) REFERENCES regions of depots",
        "put it back after mending the rows that break it",
    ];
    verify(&database, &project, &[]).await.expect(78, &told);
    run(&database, &project).await.expect(78, &told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_and_mysql_a_marker_that_is_gone_is_named_since_every_write_fails() {
    for database in [Database::mariadb().await, Database::mysql().await] {
        let project = migrated(&database).await;
        database.execute("ALTER TABLE customers DROP COLUMN zzz_phasegate_split_full_name_m").await;
        let told = ["customers.zzz_phasegate_split_full_name_m is not there"];
        verify(&database, &project, &[]).await.expect(78, &told);
        run(&database, &project).await.expect(78, &told);
    }
}

async fn columns(database: &Database) -> Vec<String> {
    let names = if database.is_postgres() {
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1"
    } else if database.is_mariadb() {
        "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = 'customers' \
         AND column_name NOT LIKE 'zzz%' ORDER BY 1"
    } else {
        "SELECT name FROM pragma_table_info('customers') ORDER BY 1"
    };
    database.rows(names).await.into_iter().flatten().collect()
}

/// Writes that no trigger sees.
async fn behind_its_back(database: &Database, sql: &str) {
    crate::obstacles::without_triggers(database, sql).await;
}
