//! The tonic dialect of the gate: one service, whoever asks and from wherever.

pub mod convert;
pub mod service;
