//! `make e2e`: the product on a genuine Kubernetes with the genuine Argo Rollouts and Argo CD, installed by its own
//! manifests. Each test is a scenario in a namespace, a database and a Git repository of its own, with users who read
//! and write all the time and account for every row.
//!
//! `tests/cluster/run` starts what is needed; here are only the scenarios. `kubectl` and KUBECONFIG come from there. It
//! runs several at a time; those below `alone` break what all share, and run one by one after the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

// Where they play.
mod admin;
mod api;
mod database;
mod delivery;
mod figures;
mod kubectl;
mod shop;
mod users;

// The scenarios.
mod abort;
mod analysis;
mod born_late;
mod by_hand;
mod contract;
mod control;
mod doors;
mod force;
mod git_revert;
mod hands_off;
mod health;
mod init_gate;
mod jobs;
mod mariadb;
mod multi_source;
mod release;
mod serve;
mod step_plugin;
mod supersede;
mod two_apps;
mod undo;
mod waiting;
mod warehouse;
mod workload_ref;

/// Scenarios that break what all share.
mod alone;
