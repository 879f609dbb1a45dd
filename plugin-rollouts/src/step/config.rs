//! The step's `config` in the Rollout. It is declared in Git, so `schema-changes` reads it, for `lint` as for the gate.

pub use schema_changes::{BadStepConfig as BadConfig, StepConfig};

/// Reads the configuration; nothing and `null` mean the defaults.
///
/// # Errors
/// [`BadConfig`], which names the field and the remedy.
pub fn read(bytes: &[u8]) -> Result<StepConfig, BadConfig> {
    StepConfig::from_json(bytes)
}
