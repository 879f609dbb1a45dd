//! Go's `encoding/gob`: bytes <-> self-describing [`value::Value`]. Knows no sockets and no Go types but those a stream
//! describes itself.

pub mod schema;
pub mod value;
