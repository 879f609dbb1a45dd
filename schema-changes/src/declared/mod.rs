//! The files as written: YAML to the types of this crate, and everything wrong with them at once.

mod backfill;
mod complaints;
mod database;
mod measure;
mod names;
mod ordered;
mod schema;
mod schema_change;
mod shape;
mod soak;
mod step_config;
mod yaml;

pub use backfill::NICE_RATIOS;
pub(crate) use complaints::{Complaints, suggest};
pub(crate) use database::read_database;
pub(crate) use names::{bounded_name, check_column, check_expression, check_table, check_type, same_column};
pub(crate) use ordered::Ordered;
pub use schema::{database_schema, schema_change_schema, step_config_schema};
pub(crate) use schema_change::{Surroundings, read_schema_change};
pub use step_config::{BadStepConfig, Measure, STEP_NAME, StepConfig, Watch, WhenOverdue, check_step_configs};
pub(crate) use yaml::MAX_FILE;
