//! Sessions that nobody declared, and what they block.

use crate::{
    binary::run,
    database::Database,
    on_each,
    project::{Project, V2},
};

/// Both engines that have sessions; the `test` is the same.
async fn undeclared(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: migrated");
    let (role, stranger) = database.stranger().await;
    project.apps("{secretRefs: [customers-app], users: [customers_app, root, postgres]}");
    project.live(&[V2]);
    // Nobody knows what the stranger needs, and no move so far ends anything.
    run(&database, &project).await.expect(0, &["is migrated"]);

    project.goal("target: contracted");
    let blocked = format!("blocked by 1 database session of {role} (");
    let remedy = "not among spec.apps.users or a consumer's users in phasegate.yaml), which needs pending..migrated";
    run(&database, &project).await.expect(0, &[&blocked, remedy]);
    assert_eq!(database.phase("split-full-name").await, "migrated");

    // Declared as a consumer of the new shape, it is a version like any other.
    let consumer = format!("{{users: [root, postgres]}}\n  consumers: [{{name: x, supports: '', users: [{role}]}}]");
    project.apps(&consumer);
    run(&database, &project).await.expect(0, &["blocked by consumer x, which needs pending..migrated"]);
    project.apps(&consumer.replace("supports: ''", "supports: since=split-full-name"));
    run(&database, &project).await.expect(0, &["is contracted"]);
    stranger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_nobody_declared_blocks_a_contract_and_nothing_else_on_postgres() {
    undeclared(Database::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_nobody_declared_blocks_a_contract_and_nothing_else_on_mariadb() {
    undeclared(Database::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_nobody_declared_blocks_a_contract_and_nothing_else_on_mysql() {
    undeclared(Database::mysql().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_touch_the_table_blocks_nothing_on_postgres() {
    let database = Database::postgres().await;
    database.customers(100).await;
    let (role, stranger) = database.stranger().await;
    database.execute(&format!("REVOKE ALL ON customers FROM {role}")).await;
    let project = Project::split(&database, "target: contracted");
    project.apps("{users: []}");
    project.live(&[V2]);
    run(&database, &project).await.expect(0, &["is contracted"]);
    stranger.close().await;
}

on_each!(a_file_of_live_versions_is_believed_unless_the_database_names_users, stated);
async fn stated(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: contracted");
    project.live(&[V2]);
    let stranger = if database.port().is_some() { Some(database.stranger().await.1) } else { None };
    run(&database, &project).await.expect(0, &["is contracted"]);
    if let Some(stranger) = stranger {
        stranger.close().await;
    }
}
