//! The Argo Rollouts step dialect: what a step's argument holds, and what Argo is told. Pure. Argo's words end here.

pub mod config;
pub mod message;
pub mod report;
pub mod rollout;
pub mod status;
