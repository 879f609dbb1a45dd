//! The JSON Schemas that editors use, published from the types that read the files.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::declared::{database::DatabaseFile, schema_change::SchemaChangeFile, step_config::Written};

/// The schema of `phasegate.yaml`.
pub fn database_schema() -> Value {
    schema_of::<DatabaseFile>("https://phasegate.dev/schemas/v1alpha1/database.json")
}

/// The schema of `changes/*.yaml`.
pub fn schema_change_schema() -> Value {
    schema_of::<SchemaChangeFile>("https://phasegate.dev/schemas/v1alpha1/schema-change.json")
}

/// The schema of the `config` of a step `phasegate/gate` in a Rollout.
pub fn step_config_schema() -> Value {
    schema_of::<Written>("https://phasegate.dev/schemas/v1alpha1/step-config.json")
}

fn schema_of<T: JsonSchema>(id: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("$id".into(), Value::String(id.into()));
    }
    schema
}
