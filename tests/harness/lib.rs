//! What several tests and the demo share: stand-ins for what is not under test, and starters for what is real.

pub mod argo;
pub mod kube_api;
