//! `Plan`: the files of one database, checked as a whole.

use std::collections::BTreeMap;

use schema_phases::PlanDigest;

use crate::{Database, FileError, SchemaChange};

/// Everything Git declares for one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The database.
    pub database: Database,
    /// Its changes, by order.
    pub changes: Vec<SchemaChange>,
    /// The digest of `files`.
    pub digest: PlanDigest,
    /// The files the plan consists of, by path relative to its directory, and nothing else that lies beside them.
    pub files: BTreeMap<String, String>,
}

impl Plan {
    /// Reads a plan from the files below one directory, given by relative path; files that are no part of it are
    /// ignored.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    pub fn read(files: &BTreeMap<String, String>) -> Result<Self, Vec<FileError>> {
        let _ = files;
        Err(Vec::new())
    }
}
