//! The folders below `examples/`: deliveries of a Git repository, as an Application points at them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::Value;

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// Every delivery, as a path below `examples/`: a folder with a `phasegate.yaml`.
///
/// # Errors
/// When a folder cannot be read.
pub fn deliveries() -> anyhow::Result<Vec<String>> {
    let examples = root().join("examples");
    let mut found: Vec<String> =
        files(&examples)?.keys().filter_map(|path| path.strip_suffix("/phasegate.yaml").map(str::to_owned)).collect();
    found.sort();
    Ok(found)
}

/// All files below `directory` with their paths relative to it.
///
/// # Errors
/// When one cannot be read as text.
pub fn files(directory: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut open: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                found.insert(path.strip_prefix(directory)?.to_string_lossy().into_owned(), text);
            }
        }
    }
    Ok(found)
}

/// The app's own manifests in a delivery: all that are no declarations of Phasegate's.
///
/// # Errors
/// When one is no YAML.
pub fn app_manifests(files: &BTreeMap<String, String>) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for (path, text) in files {
        if path.ends_with(".yaml") && path != "phasegate.yaml" && !path.starts_with("changes/") {
            let read: Vec<Value> = serde_saphyr::from_multiple(text).with_context(|| path.clone())?;
            all.extend(read);
        }
    }
    Ok(all)
}

/// Copies the files below one directory to another.
///
/// # Errors
/// When one cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for (path, text) in files(from)? {
        let path = to.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
