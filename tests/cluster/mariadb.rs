//! The column split on MariaDB: its DDL commits by itself, its triggers run as the runner's user, its binary log is on.

use crate::{
    admin::Somebody,
    database::Server,
    delivery::{CHANGE, Delivery},
    kubectl::until,
    shop::{App, SOON, Shop},
};

const ROWS: u32 = 100_000;

/// The app of `examples/customers-split`, with its database on MariaDB.
pub(crate) const CUSTOMERS: App = App {
    name: "customers",
    example: "customers-split",
    server: Server::Mariadb,
    tables: |app, rows| {
        format!(
            "CREATE TABLE customers (id bigint PRIMARY KEY, full_name text NOT NULL, revision bigint NOT NULL);
             INSERT INTO customers SELECT seq, CONCAT('F', seq, ' R0'), 0 FROM seq_1_to_{rows};
             GRANT SELECT, INSERT, UPDATE ON customers TO {app};"
        )
    },
};

/// A folder of the example as it is on MariaDB.
fn delivery(folder: &str) -> Delivery {
    CUSTOMERS.delivery(folder)
}

#[tokio::test]
async fn a_canary_is_held_then_released_and_a_contract_waits_for_the_last_old_pod_and_the_last_stranger() {
    let shop = Shop::open_for(&CUSTOMERS, "mariadb", ROWS).await;
    shop.deliver("version 1", &delivery("1-expand").without(CHANGE)).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;

    shop.deliver("expand", &delivery("1-expand").with(CHANGE, "target: migrated", "target: expanded")).await;
    shop.change_is("expanded").await;

    shop.deliver("version 2", &delivery("2-canary").with_a_pause()).await;
    let held = shop.gate_says("holds version 2", |step| step.phase == "Running").await;
    shop.tell(format_args!("gate: {}", held.message));
    assert!(held.message.contains("split-full-name is ") && held.message.contains("v2 needs migrated"), "{held:?}");
    assert_eq!(shop.pods_of("v2").await, 0, "no pod of version 2 before it is let in");
    let released = shop.gate_says("lets version 2 in", |step| step.phase == "Successful").await;
    shop.tell(format_args!("gate: {}", released.message));
    shop.change_is("migrated").await;
    shop.rollout_is("Paused").await;
    shop.served_by("v2", 50).await;

    shop.deliver("contract, too early", &delivery("3-contract").with_a_pause()).await;
    let said = shop.run_says("what blocks it", |line| line.contains("blocked by")).await;
    assert!(said.contains("ReplicaSet customers-") && said.contains("needs pending..migrated"), "it says who: {said}");
    shop.change_is("migrated").await;
    assert!(shop.pods_of("v1").await > 0 && shop.pods_of("v2").await > 0, "both versions serve");

    let stranger = shop.stranger("reports").await;
    shop.person(&["promote", "customers"]).await;
    shop.rollout_is("Healthy").await;
    shop.no_pods_of("v1").await;
    let said = shop.run_says("that a stranger blocks it", |line| line.contains("by 1 database session of")).await;
    assert!(said.contains(&stranger) && said.contains("spec.apps.users"), "it says who, and the remedy: {said}");
    shop.change_is("migrated").await;

    shop.strangers_leave(&stranger).await;
    shop.change_is("contracted").await;
    assert_eq!(shop.pods_of("v1").await, 0, "contracted while a pod of version 1 was there");
    assert_eq!(shop.columns("customers").await, "first_name id last_name revision");
    assert_eq!(shop.ledger(TRIGGERS).await.unwrap(), "0");
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

/// A shop that version 1 serves and that version 2 was delivered to; its backfill has come to a row that somebody holds.
async fn in_mid_backfill(name: &str, version_2: &Delivery) -> (Shop, Somebody) {
    let shop = Shop::open_for(&CUSTOMERS, name, ROWS).await;
    shop.the_last_row_comes().await;
    shop.deliver("version 1", &delivery("1-expand").with(CHANGE, "target: migrated", "target: synced")).await;
    shop.rollout_is("Healthy").await;
    shop.users_come(ROWS).await;
    shop.change_is("synced").await;

    let somebody = shop.somebody_writes().await;
    shop.deliver("version 2, and what it needs", version_2).await;
    shop.gate_says("holds version 2", |step| step.phase == "Running").await;
    shop.is_in_mid_backfill().await;
    (shop, somebody)
}

const TRIGGERS: &str = "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()";

#[tokio::test]
async fn a_runner_killed_in_mid_backfill_is_followed_by_another_that_ends_where_git_wants_it() {
    let (shop, somebody) = in_mid_backfill("mariadb-killed", &delivery("2-canary")).await;
    for _ in 0..2 {
        let generation = generation(&shop).await.unwrap();
        let killed = shop.runners_die().await;
        shop.line.note(format!("killed {killed}"));
        assert!(killed.starts_with("phasegate-"), "a runner was at work: {killed}");
        until("another runner takes over", SOON, async || {
            let found = self::generation(&shop).await?;
            if found > generation { Ok(()) } else { Err(format!("generation {found}")) }
        })
        .await;
        shop.is_in_mid_backfill().await;
    }
    shop.users_go_on(100).await;
    shop.somebody_is_done(somebody).await;
    shop.change_is("migrated").await;
    shop.rollout_is("Healthy").await;
    shop.the_last_row_goes().await;

    shop.deliver("contract", &delivery("3-contract")).await;
    shop.change_is("contracted").await;
    assert_eq!(shop.columns("customers").await, "first_name id last_name revision");
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

/// How often a runner took over.
async fn generation(shop: &Shop) -> Result<u64, String> {
    let found = shop.ledger("SELECT generation FROM phasegate_ledger").await?;
    found.parse().map_err(|_| found)
}

#[tokio::test]
async fn a_canary_aborted_while_the_schema_moves_leaves_the_old_version_serving_and_can_be_tried_again() {
    let (shop, somebody) = in_mid_backfill("mariadb-abort", &delivery("2-canary").with_a_pause()).await;
    shop.person(&["abort", "customers"]).await;
    shop.rollout_is("Degraded").await;
    assert_eq!(shop.pods_of("v2").await, 0, "nothing of version 2 came in");
    shop.users_go_on(100).await;
    shop.somebody_is_done(somebody).await;
    shop.change_is("migrated").await;
    shop.the_last_row_goes().await;

    shop.is_let_in_aborted_and_let_in_again(ROWS).await;
    shop.close().await;
}
