//! A warehouse's inventory: its tables come from Git, then warehouses get a city and a state.

use crate::{
    database::Server,
    delivery::Delivery,
    shop::{App, Shop},
};

const ROWS: u32 = 5_000;
const WAREHOUSES: u32 = 20;
const MANUFACTURERS: u32 = 5;

/// The app of `examples/warehouse-inventory`: an empty database, and rights on what is to come.
const WAREHOUSE: App = App {
    name: "warehouse",
    example: "warehouse-inventory",
    server: Server::Postgres,
    tables: |app, _| {
        format!("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO {app};")
    },
};

#[tokio::test]
async fn a_warehouse_inventory_is_made_from_git_and_gets_city_and_state_while_everybody_works() {
    let shop = Shop::open_for(&WAREHOUSE, "warehouse", ROWS).await;
    let delivery = |folder| Delivery::of("warehouse-inventory", folder);
    shop.deliver("the tables, and version 1", &delivery("1-tables")).await;
    shop.change_is("contracted").await;
    shop.rollout_is("Healthy").await;
    shop.ledger(&format!(
        "INSERT INTO manufacturers SELECT id, 'M' || id FROM generate_series(1, {MANUFACTURERS}) AS id;
         INSERT INTO warehouses SELECT id, 'W' || id FROM generate_series(1, {WAREHOUSES}) AS id;
         INSERT INTO inventory (id, manufacturer, warehouse, item)
           SELECT id, id % {MANUFACTURERS} + 1, id % {WAREHOUSES} + 1, 'F' || id || ' R0' FROM generate_series(1, {ROWS}) AS id"
    ))
    .await
    .unwrap();
    shop.users_come(ROWS).await;

    shop.deliver("city and state, and version 2", &delivery("2-city-and-state")).await;
    let held_or_in = shop.gate_says("is asked", |step| ["Running", "Successful"].contains(&step.phase.as_str())).await;
    shop.tell(format_args!("gate: {}", held_or_in.message));
    shop.change_is("contracted").await;
    shop.rollout_is("Healthy").await;
    assert_eq!(shop.columns("warehouses").await, "city id name state");

    shop.served_by("v2", 200).await;
    let figures = shop.nothing_failed(ROWS).await;
    assert!(figures.served_by("v1") > 50, "{figures:?}");
    let placed = "SELECT count(*) FILTER (WHERE city = 'C' || id AND state = 'S' || id) || ' of ' ||
                         count(city || state) FROM warehouses";
    let placed = shop.ledger(placed).await.unwrap();
    let (right, all) = placed.split_once(" of ").unwrap();
    assert!(right == all && right != "0", "what version 2 wrote is there as it wrote it: {placed}");
    shop.close().await;
}
