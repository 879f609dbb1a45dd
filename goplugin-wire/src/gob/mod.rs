//! Go's `encoding/gob`: bytes <-> self-describing [`value::Value`]. Knows no sockets and no Go types but those a stream
//! describes itself.

mod bytes;
pub mod decode;
pub mod encode;
mod frame;
pub mod interest;
pub mod schema;
pub mod time;
mod types;
pub mod value;
