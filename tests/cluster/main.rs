//! `make e2e`: the product on a genuine Kubernetes with the genuine Argo Rollouts and Argo CD, installed by its own
//! manifests. Each test is a scenario in a namespace, a database and a Git repository of its own, with users who read
//! and write all the time and account for every row.
//!
//! `tests/cluster/run` starts what is needed; here are only the scenarios. `kubectl` and KUBECONFIG come from there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

mod abort;
mod contract;
mod control;
mod delivery;
mod force;
mod kubectl;
mod release;
mod shop;
mod supersede;
