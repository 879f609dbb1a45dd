//! What a commit holds: a folder of `examples/customers-split`, changed where a scenario needs it otherwise.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

/// The file of the change in the example.
pub(crate) const CHANGE: &str = "changes/0001-split-full-name.yaml";

/// The files of one commit.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    files: BTreeMap<String, String>,
}

/// The folder of the examples.
pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/customers-split").canonicalize().unwrap()
}

impl Delivery {
    /// The files of one folder of the example, with pauses that tests can wait for.
    pub(crate) fn example(folder: &str) -> Self {
        let mut delivery = Self { files: BTreeMap::new() };
        delivery.read(&example().join(folder), "");
        delivery.with("rollout.yaml", "duration: 2m", "duration: 5s")
    }

    fn read(&mut self, directory: &Path, prefix: &str) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                self.read(&path, &format!("{name}/"));
            } else {
                self.files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    /// The same with every `from` in one file as `to`.
    pub(crate) fn with(mut self, file: &str, from: &str, to: &str) -> Self {
        let text = self.files.get_mut(file).unwrap_or_else(|| panic!("there is no {file}"));
        assert!(text.contains(from), "{file} does not say `{from}`");
        *text = text.replace(from, to);
        self
    }

    /// The same with a first pause that only a person ends.
    pub(crate) fn with_a_pause(mut self) -> Self {
        let text = self.files.get_mut("rollout.yaml").unwrap();
        *text = text.replacen("pause: {duration: 5s}", "pause: {}", 1);
        self
    }

    /// The same without asking the gate.
    pub(crate) fn without_the_gate(self) -> Self {
        self.with("rollout.yaml", "      - plugin: {name: phasegate/gate}", "      # no gate:")
    }

    /// The same without one file.
    pub(crate) fn without(mut self, file: &str) -> Self {
        self.files.remove(file).unwrap_or_else(|| panic!("there is no {file}"));
        self
    }

    /// As a tar archive.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in &self.files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let tar = Command::new("tar").arg("-C").arg(directory.path()).args(["-cf", "-", "."]).output().unwrap();
        assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));
        tar.stdout
    }
}
