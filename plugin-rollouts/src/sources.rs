//! The ports' real implementations, one a file.

pub mod asker_token;
pub mod declared;
pub mod events;
pub mod jobs;
pub mod kube;
pub mod probes;
pub mod prometheus;
pub mod rights;
pub mod token_review;
pub mod version_sql;
