//! Bindings of the `.proto` files beside this crate: messages, client and server of the service [`step::v1`]. Written
//! by `make proto` and committed; a test holds them to the `.proto` files. No code of our own.

/// The question a rollout step asks.
pub mod step {
    /// Version 1 of it. It only grows.
    #[expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        missing_docs,
        unused_qualifications,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("generated/phasegate.step.v1.rs");
    }
}

/// All of it described for clients that ask by reflection: an encoded `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/phasegate.step.v1.bin");
