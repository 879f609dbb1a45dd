//! The ports' real implementations, one a file.

pub mod declared;
pub mod events;
pub mod jobs;
pub mod kube;
pub mod probes;
pub mod prometheus;
pub(crate) mod tls;
pub mod token_review;
pub mod version_sql;
