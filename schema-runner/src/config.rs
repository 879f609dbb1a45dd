//! The command line and the files it names, validated.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use phase_ledger::{BadDatabaseUrl, DatabaseUrl};
use schema_changes::{FileError, Plan};
use schema_phases::{ChangeName, SchemaPhase};

/// A plan is a handful of small files; whatever is larger is not one.
const LARGEST_FILE: u64 = 1 << 20;
const MOST_FILES: usize = 10_000;
const DEEPEST: usize = 8;

/// What the command line names cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadConfig {
    /// No URL.
    #[error("no database was named; set PHASEGATE_DATABASE_URL, or give --database-url-file FILE")]
    NoUrl,
    /// The file with the URL cannot be read.
    #[error("cannot read the database URL from `{path}`")]
    UrlFile {
        /// The file.
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// The URL is none. The text is not shown: it may hold a password.
    #[error("the database URL from {place} cannot be used")]
    Url {
        /// Where it came from.
        place: String,
        #[source]
        cause: BadDatabaseUrl,
    },
    /// A file or directory of the plan cannot be read.
    #[error("cannot read `{path}` of the plan")]
    PlanFile {
        /// The path.
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// It is no plan's directory.
    #[error(
        "`{path}` holds more than {MOST_FILES} YAML and SQL files, or folders deeper than {DEEPEST}; give the directory with phasegate.yaml"
    )]
    TooMuch {
        /// The directory.
        path: PathBuf,
    },
    /// The plan is wrong.
    #[error("the plan in `{path}` is wrong:\n{}", listed(.errors))]
    Plan {
        /// The directory.
        path: PathBuf,
        /// Everything that is wrong with it.
        errors: Vec<FileError>,
    },
    /// The URL and the plan name different engines.
    #[error("phasegate.yaml says that the engine is {declared}, and the database URL leads to {found}")]
    OtherEngine {
        /// What phasegate.yaml says.
        declared: &'static str,
        /// What the URL says.
        found: &'static str,
    },
    /// A namespace is needed.
    #[error(
        "no namespace was given; set PHASEGATE_NAMESPACE (downward API: metadata.namespace), or give --namespace NS"
    )]
    NoNamespace,
    /// A pod's name is needed.
    #[error("--pod-aware needs the pod's own name; set POD_NAME (downward API: metadata.name)")]
    NoPodName,
    /// The list of supported changes is broken.
    #[error("--supports: {0}")]
    Supports(schema_phases::BadSupports),
    /// Where a change is was stated in a way that cannot be read.
    #[error("--at {found}: {why}")]
    At {
        /// What was given.
        found: String,
        /// What is wrong with it.
        why: String,
    },
    /// The duration to wait is none.
    #[error("--wait: {0}")]
    Wait(String),
}

fn listed(errors: &[FileError]) -> String {
    errors.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n")
}

/// The database's address, from the file if one was named, else from the environment.
pub(crate) fn database_url(file: Option<&Path>, environment: Option<String>) -> Result<DatabaseUrl, BadConfig> {
    let (place, text) = match (file, environment) {
        (Some(path), _) => {
            let text = fs::read_to_string(path).map_err(|cause| BadConfig::UrlFile { path: path.to_owned(), cause })?;
            (format!("`{}`", path.display()), text)
        }
        (None, Some(text)) => ("PHASEGATE_DATABASE_URL".to_owned(), text),
        (None, None) => return Err(BadConfig::NoUrl),
    };
    text.parse().map_err(|cause| BadConfig::Url { place, cause })
}

/// `split-full-name=contracted`, of changes that the plan has.
pub(crate) fn stated(given: &[String], plan: &Plan) -> Result<BTreeMap<ChangeName, SchemaPhase>, BadConfig> {
    let mut stated = BTreeMap::new();
    for text in given {
        let bad = |why: String| BadConfig::At { found: text.clone(), why };
        let (name, phase) = text.split_once('=').ok_or_else(|| bad("write CHANGE=PHASE".to_owned()))?;
        let phase: SchemaPhase = phase.parse().map_err(|why: schema_phases::UnknownPhase| bad(why.to_string()))?;
        let change = plan.changes.iter().find(|change| change.profile.name.as_str() == name);
        let change = change.ok_or_else(|| bad("no change of the plan has this name".to_owned()))?;
        stated.insert(change.profile.name.clone(), phase);
    }
    Ok(stated)
}

/// The plan below a directory.
pub(crate) fn plan(directory: &Path) -> Result<Plan, BadConfig> {
    let mut files = BTreeMap::new();
    collect(directory, directory, 0, &mut files)?;
    Plan::read(&files).map_err(|errors| BadConfig::Plan { path: directory.to_owned(), errors })
}

/// YAML and SQL files by relative path. Mounted ConfigMaps hold their data behind `..data` links, which are skipped
/// like everything hidden.
fn collect(root: &Path, directory: &Path, depth: usize, files: &mut BTreeMap<String, String>) -> Result<(), BadConfig> {
    let unreadable = |path: &Path, cause| BadConfig::PlanFile { path: path.to_owned(), cause };
    for entry in fs::read_dir(directory).map_err(|cause| unreadable(directory, cause))? {
        let path = entry.map_err(|cause| unreadable(directory, cause))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(".");
        if name.starts_with('.') || matches!(name, "target" | "node_modules") {
            continue;
        }
        // Follows links: a mounted file is one.
        let metadata = fs::metadata(&path).map_err(|cause| unreadable(&path, cause))?;
        if metadata.is_dir() {
            if depth >= DEEPEST {
                return Err(BadConfig::TooMuch { path: root.to_owned() });
            }
            collect(root, &path, depth + 1, files)?;
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !matches!(extension, "yaml" | "yml" | "sql") {
            continue;
        }
        if metadata.len() > LARGEST_FILE {
            let cause = io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB");
            return Err(unreadable(&path, cause));
        }
        let text = fs::read_to_string(&path).map_err(|cause| unreadable(&path, cause))?;
        let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        files.insert(relative, text);
        if files.len() > MOST_FILES {
            return Err(BadConfig::TooMuch { path: root.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test should panic")]

    use super::*;

    #[test]
    fn a_mounted_config_map_is_read_once_and_not_through_its_hidden_links() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("..2026_01_01");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("phasegate.yaml"), "kind: Database").unwrap();
        std::os::unix::fs::symlink("..2026_01_01", directory.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/phasegate.yaml", directory.path().join("phasegate.yaml")).unwrap();
        fs::write(directory.path().join("README.md"), "no part of it").unwrap();
        let mut files = BTreeMap::new();
        collect(directory.path(), directory.path(), 0, &mut files).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["phasegate.yaml"]);
    }

    #[test]
    fn a_bad_url_is_named_by_its_place_and_never_shown() {
        let told = database_url(None, Some("postgre://u:hunter2@h/d".to_owned())).unwrap_err();
        let told = format!("{told:?} {told}");
        assert!(told.contains("PHASEGATE_DATABASE_URL") && !told.contains("hunter2"), "{told}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("url");
        fs::write(&path, "postgres://u:hunter2@h/d@e\n").unwrap();
        let told = database_url(Some(&path), None).unwrap_err();
        let told = format!("{told:?} {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
