//! Holds the arrows between the crates: exactly those of ARCHITECTURE.md, and no I/O library under the pure ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Each crate and the crates of ours it may build on. A new arrow needs a page in docs/decisions/ first.
const ARROWS: [(&str, &[&str]); 9] = [
    ("goplugin-wire", &[]),
    ("phase-ledger", &["schema-phases"]),
    ("plugin-argocd", &["schema-changes", "schema-phases"]),
    (
        "plugin-rollouts",
        &["goplugin-wire", "phase-ledger", "prometheus-source", "proto", "schema-changes", "schema-phases"],
    ),
    ("prometheus-source", &["schema-phases"]),
    ("proto", &[]),
    ("schema-changes", &["schema-phases"]),
    ("schema-phases", &[]),
    ("schema-runner", &["phase-ledger", "prometheus-source", "schema-changes", "schema-phases"]),
];

/// What must not reach a crate, however far away.
const PURE: [(&str, &[&str]); 4] = [
    ("schema-phases", &["tokio", "kube", "sqlx", "tonic", "serde"]),
    ("schema-changes", &["tokio", "kube", "sqlx", "tonic"]),
    ("plugin-argocd", &["tokio", "kube", "sqlx", "tonic"]),
    ("goplugin-wire", &["kube", "sqlx"]),
];

/// Names of the packages each package builds on (normal dependencies only).
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    // Only this platform: packages of others were never downloaded.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", &platform])
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
        .collect();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let needs = graph.entry(names[node["id"].as_str().unwrap()].to_owned()).or_default();
        for dependency in node["deps"].as_array().unwrap() {
            let normal = dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
            if normal {
                needs.insert(names[dependency["pkg"].as_str().unwrap()].to_owned());
            }
        }
    }
    graph
}

fn reached(graph: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![from.to_owned()];
    while let Some(name) = todo.pop() {
        for next in graph.get(&name).into_iter().flatten() {
            if seen.insert(next.clone()) {
                todo.push(next.clone());
            }
        }
    }
    seen
}

#[test]
fn there_are_no_arrows_between_our_crates_but_the_drawn_ones() {
    let graph = graph();
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in ARROWS {
        let drawn: BTreeSet<&str> = allowed.iter().copied().collect();
        let found: BTreeSet<&str> = graph[name].iter().map(String::as_str).filter(|dep| ours.contains(dep)).collect();
        assert_eq!(found, drawn, "arrows of {name}");
    }
}

#[test]
fn no_input_or_output_reaches_the_pure_crates() {
    let graph = graph();
    for (name, forbidden) in PURE {
        let reached = reached(&graph, name);
        for banned in forbidden {
            assert!(!reached.contains(*banned), "{banned} reaches {name}");
        }
    }
}
