//! What Git declares, and what each phase of it does to a database. Pure: text in, statements out.
//!
//! [`Plan::read`] checks the files of one database; [`steps`] says what a move does on an engine, given what the live
//! catalog says of the tables. Opens no file and no connection: the renderer hands in a checkout, the runner a mount.

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

mod app_statement;
mod catalog;
mod change;
mod declared;
mod dialect;
mod digest;
mod expression;
mod file_error;
mod lint;
mod plan;
#[cfg(test)]
mod plan_tests;
mod refactoring;
mod sql_text;
mod step;

pub use app_statement::{AppStatement, InsertedInto, app_statements};
pub use catalog::{Catalog, ColumnFacts, ForeignKeyFacts, IndexFacts, TableFacts};
pub use change::{
    AcceptedLoss, BackfillSettings, Checkpoint, Consumer, DailyWindow, Database, Engine, IntegrityQuery,
    PrometheusThrottle, Replica, SchemaChange, SecretKey, Soak, ThrottleMeasure, ThrottleSettings, UnknownEngine,
};
pub use declared::{
    BadStepConfig, Measure, NICE_RATIOS, STEP_NAME, StepConfig, Watch, WhenOverdue, check_step_configs,
    database_schema, schema_change_schema, step_config_schema,
};
pub use dialect::{placeholder, quote};
pub use file_error::FileError;
pub use lint::{Finding, Severity, lint};
pub use plan::Plan;
pub use refactoring::{
    Refused, is_coming_back, loss,
    made_index::{Found, MadeIndex},
    restore, steps, sync_conflict, sync_objects,
    traces::{Neighbour, Promise, Shape, Trace, bare_of_shapes, traces, traces_of_the_end, undisturbed},
};
pub use step::{Alone, Backfill, Loss, Step, SyncObject, Verification, WayBack};
