//! Running the built binary.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The binary, with an environment that holds only what is given.
pub fn phasegate_argocd(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phasegate-argocd"));
    command.args(arguments).current_dir(directory).env_clear().envs(environment.iter().copied());
    // `lint --base` asks git, which a bare environment would not find.
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command.output().unwrap()
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every folder below `examples/` that holds a `phasegate.yaml`.
pub fn examples() -> Vec<PathBuf> {
    fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            if entry.is_dir() {
                collect(&entry, into);
            } else if entry.ends_with("phasegate.yaml") {
                into.push(folder.to_owned());
            }
        }
    }
    let mut folders = Vec::new();
    collect(&root().join("examples"), &mut folders);
    assert!(folders.len() >= 8, "{folders:?}");
    folders
}

/// Writes files below a directory.
pub fn write(directory: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Copies a folder's files over a directory.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Runs git in a directory, with an author of its own.
pub fn git(directory: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .output()
        .unwrap()
        .status;
    assert!(status.success(), "git {arguments:?}");
}
