//! `Limits`: how much a peer can make this side hold. Every number has a default that a well-behaved Go peer never
//! reaches, and exceeding one is an error on that call, stream or session, never a crash.

/// Bounds on what a peer may send. What a session can hold at most is about
/// `max_connections * (max_message + max_decoded) + max_in_flight_bytes + max_streams * 256 KiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Live yamux streams; one more is reset. 64.
    pub max_streams: usize,
    /// net/rpc connections in one session: the control stream and one per dispensed plugin. 8.
    pub max_connections: usize,
    /// Calls that run at the same time; above it, no more are read until one ends. 1024.
    pub max_calls: usize,
    /// Decoded size of the arguments of the calls that run at the same time, likewise. 128 MiB.
    pub max_in_flight_bytes: usize,
    /// Unsent reply bytes of one stream above which no more calls are read from it. 4 MiB.
    pub max_unsent: usize,
    /// Bytes of one gob message. 8 MiB (Go itself allows 1 GiB).
    pub max_message: usize,
    /// Memory that one decoded gob value may take, by our own count. 32 MiB.
    pub max_decoded: usize,
    /// Levels of nesting in one value. 64.
    pub max_depth: usize,
    /// Types that one stream may define. 4096.
    pub max_types: usize,
    /// Fields of one struct type. 1024.
    pub max_fields: usize,
    /// Memory that the definitions of one stream may take, by our own count. 4 MiB.
    pub max_type_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            max_streams: 64,
            max_connections: 8,
            max_calls: 1024,
            max_in_flight_bytes: 128 * MIB,
            max_unsent: 4 * MIB,
            max_message: 8 * MIB,
            max_decoded: 32 * MIB,
            max_depth: 64,
            max_types: 4096,
            max_fields: 1024,
            max_type_bytes: 4 * MIB,
        }
    }
}
