//! Message.
