//! What pgroll's issues 905 and 906 report, asked of ours: no write of an application fails while columns and triggers
//! come and go (github.com/xataio/pgroll/issues/905 and /906). There each DDL statement commits alone, so that for a moment a
//! column stands without its trigger, or a trigger names a column that is gone.

use crate::{
    binary::run,
    database::Database,
    on_each,
    project::{Project, V1, V2},
    traffic::{Shape, Writer, Written, account},
};

const ROWS: i64 = 2_000;
const WRITERS: i64 = 4;

async fn writers(database: &Database, shape: Shape, from: i64) -> Vec<Writer> {
    let mut all = Vec::new();
    for lane in from..from + WRITERS {
        all.push(Writer::start(database, shape, lane, ROWS).await);
    }
    all
}

/// None of their writes failed, which [`Writer::stop`] asserts.
async fn stopped(writers: Vec<Writer>) -> Vec<Written> {
    let mut all = Vec::new();
    for writer in writers {
        all.push(writer.stop().await);
    }
    all
}

async fn prepared(database: &Database) -> Project {
    database.customers(ROWS).await;
    let project = Project::split(database, "target: expanded");
    project.live(&[V1]);
    project
}

on_each!(pgroll_905_no_write_fails_while_columns_and_their_triggers_come, start);
async fn start(database: Database) {
    let project = prepared(&database).await;
    let old = writers(&database, Shape::Old, 1).await;
    for goal in ["expanded", "synced", "migrated"] {
        project.goal(&format!("target: {goal}"));
        run(&database, &project).await.expect(0, &[&format!("is {goal}")]);
    }
    let old = stopped(old).await;
    account(&database, Shape::New, ROWS, &old.iter().collect::<Vec<_>>()).await;
}

on_each!(pgroll_906_no_write_fails_while_triggers_and_columns_go_at_a_rollback, rollback);
async fn rollback(database: Database) {
    let project = prepared(&database).await;
    project.goal("target: migrated");
    run(&database, &project).await.expect(0, &["is migrated"]);
    let old = writers(&database, Shape::Old, 1).await;
    project.goal("revertTo: pending");
    run(&database, &project).await.expect(0, &["is pending"]);
    let old = stopped(old).await;
    account(&database, Shape::Old, ROWS, &old.iter().collect::<Vec<_>>()).await;
}

on_each!(pgroll_906_no_write_fails_while_triggers_and_columns_go_at_a_complete, complete);
async fn complete(database: Database) {
    let project = prepared(&database).await;
    project.goal("target: migrated");
    run(&database, &project).await.expect(0, &["is migrated"]);
    project.live(&[V2]);
    let new = writers(&database, Shape::New, 5).await;
    project.goal("target: contracted");
    run(&database, &project).await.expect(0, &["is contracted"]);
    let new = stopped(new).await;
    account(&database, Shape::New, ROWS, &new.iter().collect::<Vec<_>>()).await;
}

/// The same writers do see it when it is done in pgroll's order: the column first, and the trigger in a statement after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pgroll_906_in_the_order_that_it_reports_writes_do_fail() {
    let database = Database::postgres().await;
    let project = prepared(&database).await;
    project.goal("target: migrated");
    run(&database, &project).await.expect(0, &["is migrated"]);
    // The WHEN of our triggers would forbid it: theirs have none.
    database
        .execute(
            "DROP TRIGGER zzz_phasegate_split_full_name_i ON customers;
             DROP TRIGGER zzz_phasegate_split_full_name_u ON customers;
             CREATE FUNCTION from_the_old() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN NEW.first_name := split_part(NEW.full_name, ' ', 1); RETURN NEW; END $$;
             CREATE TRIGGER from_the_old BEFORE INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION from_the_old()",
        )
        .await;
    database.execute("ALTER TABLE customers DROP COLUMN full_name").await;
    let mut application = database.connect().await;
    let write = "INSERT INTO customers (id, first_name, last_name) VALUES (900001, 'Eve', 'Adams')";
    let failed = application.execute(write, &[]).await.unwrap_err();
    assert!(failed.to_string().contains("has no field \"full_name\""), "{failed}");
    database.execute("DROP FUNCTION from_the_old CASCADE").await;
    application.execute(write, &[]).await.unwrap();
    application.close().await;
}
