//! Databases that Phasegate meets in the middle of their lives, or at the very beginning.

use serde_json::{Value, json};

use crate::{
    database::Server,
    delivery::{CHANGE, Delivery},
    kubectl::{kubectl, until},
    shop::{App, SERVICES, SOON, Shop},
};

const ROWS: u32 = 1_000;

/// Nothing is there, and the administrator has said who may use what comes.
const EMPTY: App = App {
    name: "customers",
    example: "customers-split",
    server: Server::Postgres,
    tables: |app, _| {
        format!("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO {app};")
    },
};

const TABLE: &str = "\
apiVersion: phasegate.dev/v1alpha1
kind: SchemaChange
metadata: {name: create-customers}
spec:
  database: customers
  target: contracted
  createTable:
    table: customers
    columns:
      id: {type: bigint, primaryKey: true}
      full_name: {type: text, nullable: false}
      revision: {type: bigint, nullable: false}
";

#[tokio::test]
async fn an_empty_database_and_the_newest_version_come_up_from_git_alone() {
    let shop = Shop::open_for(&EMPTY, "greenfield", 0).await;
    let all = Delivery::example("3-contract").and("changes/0000-create-customers.yaml", TABLE).with(
        "rollout.yaml",
        "supports.phasegate.dev/customers: split-full-name",
        "supports.phasegate.dev/customers: since=split-full-name",
    );
    shop.deliver("all there ever was, at once", &all).await;
    shop.change_is("contracted").await;
    shop.rollout_is("Healthy").await;
    shop.application_is("Healthy").await;
    assert_eq!(shop.columns("customers").await, "first_name id last_name revision");

    let rows = format!(
        "INSERT INTO customers (id, first_name, last_name, revision) \
         SELECT id, 'F' || id, 'R0', 0 FROM generate_series(1, {ROWS}) AS id"
    );
    shop.ledger(&rows).await.unwrap();
    shop.users_come(ROWS).await;
    shop.users_go_on(200).await;
    let figures = shop.nothing_failed(ROWS).await;
    assert_eq!(figures.served_by("v1"), 0, "there never was another version");
    shop.close().await;
}

/// As it was before anybody heard of Phasegate.
fn unlabelled(delivery: Delivery) -> Delivery {
    delivery.without_the_gate().edited(|rollout| {
        let labels = rollout["spec"]["template"]["metadata"]["labels"].as_object_mut().unwrap();
        labels.remove("database.phasegate.dev/customers").unwrap();
    })
}

/// An app of another team, of that version; labelled once somebody thinks of it.
fn report(delivery: Delivery, version: &str, metadata: &Value) -> Delivery {
    let mut labels = json!({"app.kubernetes.io/name": "report"});
    labels.as_object_mut().unwrap().extend(metadata["labels"].as_object().cloned().unwrap_or_default());
    let manifest = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "report"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "report"}},
            "template": {
                "metadata": {"labels": labels, "annotations": metadata["annotations"]},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [{
                        "name": "report", "image": format!("registry.example.com/customers:{version}"),
                        "env": [{"name": "DATABASE_URL",
                            "valueFrom": {"secretKeyRef": {"name": "customers-app", "key": "url"}}}],
                        "securityContext": {
                            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                            "readOnlyRootFilesystem": true,
                        },
                    }],
                },
            },
        },
    });
    delivery.and("report.yaml", &manifest.to_string())
}

#[tokio::test]
async fn running_unlabelled_apps_are_adopted_one_by_one_and_block_the_contract_until_the_last_has_said_what_it_needs() {
    let wanted = |delivery: Delivery| delivery.with(CHANGE, "target: migrated", "target: contracted");
    let nothing = json!({});
    let before = unlabelled(Delivery::example("1-expand").without(CHANGE));
    let shop = Shop::serving("adopted", ROWS, &report(before, "v2", &nothing)).await;

    let all = report(unlabelled(wanted(Delivery::example("1-expand"))), "v2", &nothing);
    shop.deliver("a change, all the way", &all).await;
    let said = shop.run_says("who blocks it", |line| line.contains("blocked by") && line.contains("unlabelled")).await;
    assert!(said.contains("customers-app"), "it names the Secret that gives them away: {said}");
    shop.change_is("migrated").await;

    let all = report(wanted(Delivery::example("1-expand")), "v2", &nothing);
    shop.deliver("the app is labelled", &all).await;
    shop.rollout_is("Healthy").await;
    let all = report(wanted(Delivery::example("2-canary")), "v2", &nothing);
    shop.deliver("version 2 of it", &all).await;
    shop.gate_says("lets version 2 in", |step| step.phase == "Successful").await;
    shop.rollout_is("Healthy").await;
    shop.no_pods_of("v1").await;
    let said = until("a run is blocked by the report alone", SOON, async || {
        let said = shop.newest_run_said().await?;
        let others = ["Pod customers-", "ReplicaSet customers-"].iter().any(|other| said.contains(other));
        let alone = said.contains("blocked by") && said.contains("Pod report-") && !others;
        if alone { Ok(said) } else { Err(said) }
    })
    .await;
    shop.tell(format_args!("run: {}", said.lines().find(|line| line.contains("blocked by")).unwrap_or("")));
    shop.change_is("migrated").await;

    let label = json!({
        "labels": {"database.phasegate.dev/customers": ""},
        "annotations": {"supports.phasegate.dev/customers": "split-full-name"},
    });
    shop.deliver("the report is labelled", &report(wanted(Delivery::example("2-canary")), "v2", &label)).await;
    shop.change_is("contracted").await;
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

#[tokio::test]
async fn a_database_restored_to_an_earlier_phase_is_reported_and_taken_forward_and_nothing_is_overwritten() {
    let expanded = Delivery::example("1-expand").with(CHANGE, "target: migrated", "target: expanded");
    let shop = Shop::open("restored", ROWS).await;
    shop.deliver("version 1, expanded", &expanded).await;
    shop.rollout_is("Healthy").await;
    shop.change_is("expanded").await;
    let backup = Backup::of(&shop).await;

    shop.deliver("version 2", &Delivery::example("2-canary")).await;
    shop.rollout_is("Healthy").await;
    shop.deliver("contract", &Delivery::example("3-contract")).await;
    shop.change_is("contracted").await;
    let before = shop.ledger("SELECT max(line) FROM phasegate.history").await.unwrap();

    backup.restore(&shop).await;
    // Version 2 runs on, and writes what it knows before anybody has noticed.
    shop.ledger("UPDATE customers SET first_name = 'Ada', last_name = 'King', revision = 1 WHERE id = 7")
        .await
        .unwrap();
    let said = shop.run_says("that version 2 is outside of its window", |line| line.contains("VIOLATION")).await;
    assert!(said.contains("needs migrated..contracted"), "{said}");
    let said = shop.run_says("that a row disagrees", |line| line.contains("disagree")).await;
    shop.tell(format_args!("history had {before} lines before the restore; {said}"));
    // It has begun to fill what is empty, and stands there.
    shop.that_change_is("split-full-name", "synced to migrated").await;
    let row = "SELECT concat_ws('/', full_name, first_name, last_name) FROM customers WHERE id = 7";
    assert_eq!(shop.ledger(row).await.unwrap(), "F7 R0/Ada/King", "nothing is overwritten");

    // Somebody decides what that customer is called; the triggers keep both shapes in step.
    shop.ledger(
        "UPDATE customers SET full_name = 'F7 R0', revision = 0, last_name = 'R0', first_name = 'F7' WHERE id = 7",
    )
    .await
    .unwrap();
    shop.change_is("contracted").await;
    shop.users_come(ROWS).await;
    shop.users_go_on(100).await;
    shop.nothing_failed(ROWS).await;
    shop.close().await;
}

/// A dump, in the pod of the database.
struct Backup(String);

impl Backup {
    async fn of(shop: &Shop) -> Self {
        let file = format!("/tmp/{}.dump", shop.database);
        shop.in_the_database(&["pg_dump", "-h", "/tmp", "-U", "postgres", "-Fc", "-f", &file, &shop.database]).await;
        Self(file)
    }

    /// Beside what is there now, and then in its place; whoever is connected is cut off. A run that met a half restored
    /// database would begin a ledger of its own there.
    async fn restore(&self, shop: &Shop) {
        let Shop { database, .. } = shop;
        let beside = format!("{database}_restored");
        let create = format!("CREATE DATABASE {beside} OWNER {database}_owner");
        let (drop, rename) =
            (format!("DROP DATABASE {database} WITH (FORCE)"), format!("ALTER DATABASE {beside} RENAME TO {database}"));
        let psql = ["psql", "-h", "/tmp", "-U", "postgres", "-qX", "-v", "ON_ERROR_STOP=1", "-d", "postgres"];
        let restore = ["pg_restore", "-h", "/tmp", "-U", "postgres", "--exit-on-error", "-d", &beside, &self.0];
        shop.in_the_database(&[&psql[..], &["-c", &create]].concat()).await;
        shop.in_the_database(&restore).await;
        shop.in_the_database(&[&psql[..], &["-c", &drop, "-c", &rename]].concat()).await;
        shop.tell(format_args!("person: pg_restore"));
    }
}

impl Shop {
    async fn in_the_database(&self, command: &[&str]) {
        let exec = [&["exec", "-n", SERVICES, "deployment/postgres", "--"], command].concat();
        kubectl(&exec).await.unwrap_or_else(|error| panic!("{error}"));
    }
}
