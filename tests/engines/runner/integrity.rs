//! The queries by which Git says what whole data is: asked before `migrated` is written, in a transaction that may only
//! read, on each engine.

use std::fs;

use crate::{
    binary::{phasegate, run, said},
    database::Database,
    on_each,
    project::{Project, V1},
};

/// A plan to `migrated` with these lines under `integrity`.
fn project(database: &Database, integrity: &str) -> Project {
    let project = Project::split(database, "target: migrated");
    project.live(&[V1]);
    let file = project.plan.join("phasegate.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, format!("{text}  integrity:\n{integrity}")).unwrap();
    project
}

const NOWHERE: &str =
    "    - {name: homeless, query: \"SELECT count(*) FROM customers WHERE city = 'Nowhere'\", atMost: 0}
    - {name: unnamed, query: \"SELECT id FROM customers WHERE full_name = ''; \"}\n";

on_each!(nothing_is_called_migrated_while_an_integrity_query_does_not_hold, held_back);
async fn held_back(database: Database) {
    database.customers(200).await;
    database.execute("UPDATE customers SET city = 'Nowhere' WHERE id IN (7, 8)").await;
    let project = project(&database, NOWHERE);
    let shown = said(phasegate(
        &database.url(),
        &["plan", "--plan", project.plan.to_str().unwrap(), "--live", project.live.to_str().unwrap()],
    ))
    .await;
    let asks = ["ask the integrity query homeless, whose right answer is at most 0", "whose right answer is no row"];
    shown.expect(0, &asks);
    let told = [
        "the integrity query homeless does not hold: it answers 2, and at most 0 is right; mend what it finds, then run \
         again. It asks: SELECT count(*) FROM customers WHERE city = 'Nowhere'",
    ];
    run(&database, &project).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "synced");
    // The next run asks again, though all the steps are done.
    database.execute("UPDATE customers SET city = 'Rome' WHERE id = 7").await;
    run(&database, &project).await.expect(78, &["it answers 1, and at most 0 is right"]);
    assert_eq!(database.phase("split-full-name").await, "synced");
    database.execute("UPDATE customers SET city = 'Rome' WHERE id = 8").await;
    let holds = ["asked the integrity query homeless: it holds", "asked the integrity query unnamed: it holds"];
    run(&database, &project).await.expect(0, &[holds.as_slice(), &["is migrated"]].concat());
}

on_each!(a_query_that_the_database_refuses_is_no_yes, refused);
async fn refused(database: Database) {
    database.customers(20).await;
    let project = project(&database, "    - {name: lost, query: SELECT count(*) FROM nobody, atMost: 0}\n");
    let told = ["the integrity query lost has no answer: ", "nobody", "correct it in phasegate.yaml"];
    run(&database, &project).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "synced");
}

mod a_query_that_writes_is_refused_and_nothing_is_written {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn on_postgres() {
        let database = Database::postgres().await;
        database.customers(20).await;
        database
            .execute(
                "CREATE FUNCTION spoil() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM customers RETURNING 1::int'",
            )
            .await;
        let project = project(&database, "    - {name: spoils, query: SELECT spoil(), atMost: 9}\n");
        let told = ["the integrity query spoils has no answer: ", "in a read-only transaction; correct it"];
        run(&database, &project).await.expect(78, &told);
        assert_eq!(database.number("SELECT count(*) FROM customers").await, 20);
        assert_eq!(database.phase("split-full-name").await, "synced");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn on_mariadb() {
        spoils(Database::mariadb().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn on_mysql() {
        spoils(Database::mysql().await).await;
    }

    async fn spoils(database: Database) {
        database.customers(20).await;
        database
            .execute("CREATE FUNCTION spoil() RETURNS int DETERMINISTIC MODIFIES SQL DATA BEGIN DELETE FROM customers; RETURN 1; END")
            .await;
        let project = project(&database, "    - {name: spoils, query: SELECT spoil(), atMost: 9}\n");
        let told = ["the integrity query spoils has no answer: ", "in a READ ONLY transaction", "; correct it"];
        run(&database, &project).await.expect(78, &told);
        assert_eq!(database.number("SELECT count(*) FROM customers").await, 20);
        assert_eq!(database.phase("split-full-name").await, "synced");
    }
}
