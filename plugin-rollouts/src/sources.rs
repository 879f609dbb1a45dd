//! Where the gate's facts come from.

pub mod declared;
pub mod kube;
pub mod token_review;
