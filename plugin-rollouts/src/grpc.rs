//! The tonic dialect of the gate: one service, whoever asks and from wherever.

pub mod convert;
pub mod remote;
pub mod service;
