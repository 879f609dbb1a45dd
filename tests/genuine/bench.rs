//! `make bench-gate`: the gate's figures through Argo's own client, with a ledger on a PostgreSQL server of its own.

use std::time::Duration;

use schema_phases::SchemaPhase;
use tests::postgres::Cluster;
use tokio::process::Command;

use crate::{
    ledger::Ledger,
    play::play,
    shop::{Deliveries, Shop},
    target,
};

/// As many as `tests/counterparts/rollouts/gate.go` asks for.
const WAITING: usize = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a benchmark of two minutes: make bench-gate"]
async fn the_figures_of_the_gate() {
    let shop = Shop::open(Deliveries {
        plan: "customers-split/2-canary",
        canary: "customers-split/2-canary",
        stable: "customers-split/1-expand",
    })
    .await;
    let cluster = Cluster::start().unwrap();
    let database = cluster.database().await.unwrap();
    let role = database.role("gate").await.unwrap();
    let mut ledger = Ledger::begin(&database.url(), shop.plan()).await;
    ledger.reach(SchemaPhase::Synced).await;
    let rights =
        format!("GRANT USAGE ON SCHEMA phasegate TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA phasegate TO {role}");
    database.execute(&rights).await.unwrap();
    shop.sync();
    shop.let_read(&database.url_as(&role));
    shop.multiply(WAITING);

    let (target, scratch) = (target(), tempfile::tempdir().unwrap());
    let mut driver = Command::new(target.counterpart("rollouts-driver-1.10.2").unwrap());
    driver.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", scratch.path()).env("HOME", scratch.path());
    driver.env("KUBECONFIG", shop.kubeconfig());
    driver.arg("--plugin").arg(target.ours("phasegate-rollouts", scratch.path()).unwrap());
    driver.arg("--beside").arg(target.counterpart("step-plugin-sample").unwrap());
    driver.arg("--rollout").arg(shop.rollout()).arg("measure-gate");
    // Watched meanwhile: one connection reads for all of them, and each of the three processes has its own.
    let sessions = format!("SELECT count(*)::text FROM pg_stat_activity WHERE usename = '{role}'");
    let mut most = 0;
    let watching = async {
        loop {
            let seen: Vec<Vec<Option<String>>> = database.rows(&sessions).await.unwrap();
            most = most.max(seen[0][0].as_deref().and_then(|count| count.parse::<u32>().ok()).unwrap());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    // It takes two minutes where nobody else works, and has ended late on a busy machine, with figures that say so.
    let played = tokio::select! {
        played = play(&mut driver, Duration::from_secs(1_800)) => played,
        () = watching => panic!("it watches for ever"),
    };
    assert_eq!(played.code, Some(0), "{played}");
    assert!((1..=2).contains(&most), "{most} connections to one ledger");
    println!("{}", played.out);
    let figure = |name: &str| -> f64 {
        let lines = played.out.lines().find_map(|line| line.strip_prefix("figure ")?.strip_prefix(name));
        lines.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
    };
    let goals = [
        ("run_round_trip_median_ms", 2.0),
        ("run_round_trip_p99_ms", 10.0),
        ("waiting_5000_core_percent", 5.0),
        ("waiting_5000_mb", 40.0),
        ("handshake_ms", 30.0),
        ("resident_mb", 12.0),
        ("binary_mb", 16.0),
    ];
    for (name, goal) in goals {
        let found = figure(name);
        println!("{name}: {found} of {goal}{}", if found < goal { "" } else { " MISSED" });
    }
}
