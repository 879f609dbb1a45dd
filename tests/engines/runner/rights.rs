//! The rights of the runner on MariaDB and MySQL that docs/reference/ledger.md asks for, and no others.

use tests::mariadb::{Flavour, Server};

use crate::{
    binary::run,
    database::Database,
    project::{Project, V2},
};

const RIGHTS: &str = "CREATE, ALTER, DROP, INDEX, TRIGGER, INSERT, UPDATE, DELETE, SELECT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_that_the_manual_asks_for_take_a_change_to_its_end_and_process_decides_the_contract() {
    whole(Flavour::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_that_the_manual_asks_for_take_a_change_to_its_end_on_mysql_too() {
    whole(Flavour::Mysql).await;
}

async fn whole(flavour: Flavour) {
    let manual = std::fs::read_to_string(tests::examples::root().join("docs/reference/ledger.md")).unwrap();
    let manual = manual.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        manual.contains(&format!("needs {} on the database, and PROCESS", RIGHTS.replace(", SELECT", " and SELECT")))
    );

    let server =
        Server::start_as(flavour, &["--log-bin-trust-function-creators=1", "--innodb-flush-log-at-trx-commit=0"])
            .unwrap();
    let database = Database::mariadb_with(&server, RIGHTS).await;
    database.customers(500).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V2]);
    run(&database, &project).await.expect(0, &["is migrated"]);

    // Who may be connected is declared, so somebody must look.
    project.apps("{secretRefs: [customers-app], users: [admin]}");
    project.goal("target: contracted");
    run(&database, &project).await.expect(75, &["GRANT PROCESS ON *.* to it"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");
    database.execute(&format!("GRANT PROCESS ON *.* TO '{}'@'127.0.0.1'", database.owner())).await;
    run(&database, &project).await.expect(0, &["is contracted"]);
    assert_eq!(database.number("SELECT count(*) FROM customers WHERE last_name LIKE 'Lee%'").await, 500);
}
