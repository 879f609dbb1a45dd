//! Contracts that hide the old shape first: under writers, taken back, finished.

use std::time::Duration;

use crate::{
    binary::{phasegate, run, said},
    database::Database,
    on_each,
    project::{Project, V1, V2},
    traffic::{Shape, Writer, account},
};

const ROWS: i64 = 5_000;

on_each!(a_hidden_old_shape_is_brought_back_whole_and_then_goes_and_no_write_is_lost, whole);
async fn whole(database: Database) {
    database.customers(ROWS).await;
    // What no conversion would give: it must come back byte for byte.
    let odd = "INSERT INTO customers (id, full_name) VALUES (900001, '  Anna   Smith ')";
    database.execute(odd).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is migrated"]);
    project.live(&[V2]);
    let new = Writer::start(&database, Shape::New, 1, ROWS).await;
    project.goal("target: contracted\n  acceptLoss: {contract: 1}\n  soak: held");
    show_plan(&database, &project, &["hide full_name of customers", "once hidden, then it soaks until a commit"]).await;
    let hidden = ["hide full_name of customers", "soaks: its old shape is hidden since", "1 soaking"];
    run(&database, &project).await.expect(0, &hidden);
    // Again, and nothing happens; every surface tells it.
    run(&database, &project).await.expect(0, &["soaks: its old shape is hidden since", "0 failed, 1 soaking"]);
    assert_eq!(columns_named(&database, "full_name").await, 0);
    let status = said(phasegate(&database.url(), &["status"])).await;
    status.expect(0, &["soaking: the old shape is hidden, and can be brought back"]);
    show_plan(&database, &project, &["its old shape is hidden"]).await;
    let verify = ["verify", "--plan", project.plan.to_str().unwrap()];
    said(phasegate(&database.url(), &verify)).await.expect(0, &["as the ledger says"]);
    let old_asks = said(phasegate(&database.url(), &["check", "--database", "customers"])).await;
    old_asks.expect(3, &["wait"]);
    let supports = ["check", "--database", "customers", "--supports", "split-full-name"];
    said(phasegate(&database.url(), &supports)).await.expect(0, &["proceed"]);
    tokio::time::sleep(Duration::from_millis(300)).await;

    // The old version comes in by force.
    project.live(&[V1, V2]);
    run(&database, &project).await.expect(
        0,
        &[
            "bring full_name of customers back",
            "its old shape is back",
            "because of v1",
            "blocked by v1",
            "VIOLATION: v1",
        ],
    );
    assert_eq!(columns_named(&database, "full_name").await, 1);
    let old = Writer::start(&database, Shape::Old, 2, ROWS).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (new, old) = (new.stop().await, old.stop().await);
    let came_back = database.rows("SELECT full_name FROM customers WHERE id = 900001").await;
    assert_eq!(came_back, [["  Anna   Smith "]]);
    database.execute("DELETE FROM customers WHERE id = 900001").await;
    account(&database, Shape::Old, ROWS, &[&new, &old]).await;
    account(&database, Shape::New, ROWS, &[&new, &old]).await;

    // Forward again: hidden, and gone in the same run.
    project.live(&[V2]);
    project.goal("target: contracted\n  soak: 0s");
    run(&database, &project).await.expect(0, &["hide full_name of customers", "is contracted", "1 as Git asks"]);
    assert_eq!(columns_named(&database, "full_name").await + columns_named(&database, "zzz_phasegate").await, 0);
    account(&database, Shape::New, ROWS, &[&new, &old]).await;
}

on_each!(a_renamed_column_soaks_with_its_constraints_and_git_takes_it_back, renamed);
async fn renamed(database: Database) {
    database
        .execute("CREATE TABLE customers (id bigint PRIMARY KEY, mail varchar(100) NOT NULL DEFAULT 'none', note text)")
        .await;
    database.execute("INSERT INTO customers VALUES (1, 'a@b', 'x'), (2, 'c@d', NULL)").await;
    let project = Project::new(&database);
    let rename = "renameColumn: {table: customers, from: mail, to: email}";
    let go = |goal: &str| project.refactor("rename-mail", goal, rename);
    project.live(&[("v2", "rename-mail")]);
    go("target: contracted\n  soak: 30d");
    run(&database, &project).await.expect(0, &["hide mail of customers", "goes in about 720 h", "1 soaking"]);
    // What the new version writes reaches the hidden column, its default and all.
    database.execute("INSERT INTO customers (id, email) VALUES (3, 'e@f')").await;
    database.execute("INSERT INTO customers (id) VALUES (4)").await;
    database.execute("UPDATE customers SET email = 'g@h' WHERE id = 1").await;
    go("target: migrated\n  soak: 30d");
    run(&database, &project).await.expect(0, &["bring mail of customers back", "because of Git asks for less"]);
    let both = database.rows("SELECT mail, email FROM customers ORDER BY id").await;
    assert_eq!(both, [["g@h", "g@h"], ["c@d", "c@d"], ["e@f", "e@f"], ["none", "none"]]);
    assert_eq!(database.phase("rename-mail").await, "migrated");
    // As it was: the old version's default, and its NOT NULL.
    database.execute("INSERT INTO customers (id, note) VALUES (5, 'old')").await;
    assert_eq!(database.rows("SELECT mail, email FROM customers WHERE id = 5").await, [["none", "none"]]);
    let mut connection = database.connect().await;
    assert!(connection.execute("UPDATE customers SET mail = NULL WHERE id = 5", &[]).await.is_err());
    connection.close().await;
    go("target: contracted\n  soak: 0s");
    run(&database, &project).await.expect(0, &["is contracted"]);
    database.execute("INSERT INTO customers (id) VALUES (6)").await;
    assert_eq!(database.rows("SELECT email FROM customers WHERE id = 6").await, [["none"]]);
    let mut connection = database.connect().await;
    assert!(connection.execute("UPDATE customers SET email = NULL WHERE id = 6", &[]).await.is_err());
    connection.close().await;
}

on_each!(a_soak_that_git_no_longer_asks_for_ends_with_the_next_run, ended);
async fn ended(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: contracted\n  soak: held");
    project.live(&[V2]);
    run(&database, &project).await.expect(0, &["1 soaking"]);
    // A version that fits comes and goes as it likes.
    project.live(&[V2, ("v3", "split-full-name")]);
    project.goal("target: contracted");
    run(&database, &project).await.expect(0, &["is contracted", "1 as Git asks"]);
    assert_eq!(columns_named(&database, "zzz_phasegate").await, 0);
}

async fn show_plan(database: &Database, project: &Project, says: &[&str]) {
    let (plan, live) = (project.plan.to_str().unwrap(), project.live.to_str().unwrap());
    said(phasegate(&database.url(), &["plan", "--plan", plan, "--live", live])).await.expect(0, says);
}

/// The columns of customers whose names begin so.
pub(crate) async fn columns_named(database: &Database, start: &str) -> i64 {
    let names = if database.is_postgres() {
        "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'customers'"
    } else if database.is_mariadb() {
        "SELECT column_name AS name FROM information_schema.columns
          WHERE table_schema = database() AND table_name = 'customers'"
    } else {
        "SELECT name FROM pragma_table_info('customers')"
    };
    database
        .number(&format!(
            "SELECT count(*) FROM ({names}) AS names WHERE substr(name, 1, length('{start}')) = '{start}'"
        ))
        .await
}
