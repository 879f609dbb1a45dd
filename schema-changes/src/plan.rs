//! `Plan`: the files of one database, checked as a whole.

use std::collections::{BTreeMap, BTreeSet};

use schema_phases::PlanDigest;

use crate::{
    Database, FileError, SchemaChange,
    declared::{Surroundings, read_database, read_schema_change},
    digest,
};

/// Everything Git declares for one database.
#[derive(Clone, Debug, PartialEq)]
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
    /// Reads a plan from the files below one directory, given by relative path. Files that are no part of it are
    /// ignored.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    pub fn read(files: &BTreeMap<String, String>) -> Result<Self, Vec<FileError>> {
        let mut errors = misplaced(files);
        let database = match files.get(DATABASE_FILE) {
            Some(text) => read_database(DATABASE_FILE, text).map_err(|mut found| errors.append(&mut found)).ok(),
            None => {
                errors.push(error(DATABASE_FILE, "there is no such file", "add it: it declares the database"));
                None
            }
        };
        let (mut changes, mut named): (Vec<SchemaChange>, BTreeSet<String>) =
            (Vec::new(), [DATABASE_FILE.into()].into());
        for ((file, text), order) in files.iter().filter(|(file, _)| is_change(file)).zip(1..) {
            let around = Surroundings { database: database.as_ref(), files, order };
            match read_schema_change(file, text, &around) {
                Ok((change, mut sql)) => {
                    named.append(&mut sql);
                    named.insert(file.clone());
                    if let Some(first) = changes.iter().find(|other| other.profile.name == change.profile.name) {
                        let message =
                            format!("the change `{}` is declared in {} already", change.profile.name, first.file);
                        errors.push(error(file, &message, "give one of the two another name"));
                    }
                    changes.push(change);
                }
                Err(mut found) => errors.append(&mut found),
            }
        }
        let files: BTreeMap<String, String> = files
            .iter()
            .filter(|(file, _)| named.contains(*file))
            .map(|(file, text)| (file.clone(), text.clone()))
            .collect();
        let digest = digest::of_texts(&files).parse();
        match (database, digest) {
            (Some(database), Ok(digest)) if errors.is_empty() => Ok(Self { database, changes, digest, files }),
            _ => {
                errors.sort();
                errors.dedup();
                Err(errors)
            }
        }
    }
}

const DATABASE_FILE: &str = "phasegate.yaml";

/// Whether the file declares a change: YAML directly below `changes/`.
fn is_change(file: &str) -> bool {
    file.strip_prefix("changes/").is_some_and(|name| name.ends_with(".yaml") && !name.contains('/'))
}

/// Files that look like declarations and would be overlooked.
fn misplaced(files: &BTreeMap<String, String>) -> Vec<FileError> {
    let look = |file: &String| {
        let name = file.strip_prefix("changes/")?;
        if name.ends_with(".yml") {
            Some(error(file, "a change ends in .yaml", "rename it"))
        } else if name.ends_with(".yaml") && name.contains('/') {
            Some(error(
                file,
                "a change stands directly below changes/",
                "move it there; the order is that of the names",
            ))
        } else {
            None
        }
    };
    let mut found: Vec<FileError> = files.keys().filter_map(look).collect();
    if files.contains_key("phasegate.yml") {
        found.push(error("phasegate.yml", "the declaration of a database is called phasegate.yaml", "rename it"));
    }
    found
}

fn error(file: &str, message: &str, remedy: &str) -> FileError {
    FileError { file: file.to_owned(), line: None, field: None, message: message.to_owned(), remedy: remedy.to_owned() }
}
