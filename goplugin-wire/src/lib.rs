//! A HashiCorp go-plugin server (and the host that starts one) for the `netrpc` protocol: net/rpc with gob over yamux
//! over a unix socket; and in [`grpc`] for hosts that accept that. It serves any plugin: what the plugins are called, and what their methods do, is told to it.
//!
//! Protocol code is bytes to bytes and free of I/O ([`gob`], [`netrpc`], [`yamux`], [`session`], [`host::session`]);
//! only [`mod@serve`], [`grpc`] and [`host`]'s driver move bytes, open sockets or spawn tasks. Everything a peer can make this crate
//! hold in memory is bounded by [`Limits`].
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a failed test should panic"
    )
)]

mod driver;
pub mod gob;
pub mod grpc;
pub mod handshake;
pub mod host;
pub mod limits;
pub mod netrpc;
pub mod serve;
pub mod session;
pub mod yamux;

pub use gob::interest::Interest;
pub use gob::schema::{Schema, StructDef};
pub use gob::value::{InterfaceValue, StructValue, Value};
pub use grpc::serve_grpc;
pub use handshake::{Handshake, HandshakeError, Protocol, socket_directory};
pub use limits::Limits;
pub use serve::{Call, Ended, Reply, ServeConfig, ServeError, Service, serve, serve_connection};

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
