//! What a commit holds: a folder of an example, changed where a scenario needs it otherwise.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

/// The file of the change in the example.
pub(crate) const CHANGE: &str = "changes/0001-split-full-name.yaml";

/// The files of one commit.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    files: BTreeMap<String, String>,
}

/// The folder of an example.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name).canonicalize().unwrap()
}

impl Delivery {
    /// The files of one folder of `examples/customers-split`, with pauses that tests can wait for.
    pub(crate) fn example(folder: &str) -> Self {
        Self::of("customers-split", folder)
    }

    /// The files of one folder of an example, likewise.
    pub(crate) fn of(name: &str, folder: &str) -> Self {
        let mut delivery = Self { files: BTreeMap::new() };
        delivery.read(&example(name).join(folder), "");
        delivery
            .with("rollout.yaml", "duration: 2m", "duration: 3s")
            .with("rollout.yaml", "requests: {cpu: 100m, memory: 64Mi}", "requests: {cpu: 5m, memory: 16Mi}")
            // Starting a pod costs two cores half a second, and scenarios start hundreds.
            .with("rollout.yaml", "replicas: 4", "replicas: 2")
            // Argo waits at least that long between two questions.
            .with("rollout.yaml", "{name: phasegate/gate}", "{name: phasegate/gate, config: {requeueSeconds: 11}}")
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
    pub(crate) fn with_a_pause(self) -> Self {
        self.edited(|rollout| {
            let steps = rollout["spec"]["strategy"]["canary"]["steps"].as_array_mut().unwrap();
            *steps.iter_mut().find(|step| step.get("pause").is_some()).unwrap() = json!({"pause": {}});
        })
    }

    /// The same without asking the gate.
    pub(crate) fn without_the_gate(self) -> Self {
        self.edited(|rollout| {
            let steps = rollout["spec"]["strategy"]["canary"]["steps"].as_array_mut().unwrap();
            steps.retain(|step| step.get("plugin").is_none());
        })
    }

    /// The same without one file.
    pub(crate) fn without(mut self, file: &str) -> Self {
        self.files.remove(file).unwrap_or_else(|| panic!("there is no {file}"));
        self
    }

    /// The same with one more file, or with another one of that name.
    pub(crate) fn and(mut self, file: &str, text: &str) -> Self {
        self.files.insert(file.to_owned(), text.to_owned());
        self
    }

    /// The same with the Rollout edited as an object.
    pub(crate) fn edited(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let text = self.files.get_mut("rollout.yaml").unwrap();
        let mut rollout: Value = serde_saphyr::from_str(text).unwrap();
        edit(&mut rollout);
        *text = rollout.to_string();
        self
    }

    /// The same with one more variable in the environment of the app.
    pub(crate) fn environment(self, name: &str, value: &str) -> Self {
        self.edited(|rollout| {
            let environment = &mut rollout["spec"]["template"]["spec"]["containers"][0]["env"];
            environment.as_array_mut().unwrap().push(json!({"name": name, "value": value}));
        })
    }

    /// The same in folders, for an Application of several sources.
    pub(crate) fn in_folders(self, folder: impl Fn(&str) -> &'static str) -> Self {
        let files = self.files.into_iter().map(|(file, text)| (format!("{}/{file}", folder(&file)), text));
        Self { files: files.collect() }
    }

    /// The same for a database that those roles are meant to log in to.
    pub(crate) fn for_users(&self, users: &str) -> Self {
        let with = |(file, text): (&String, &String)| {
            let named = ["users: [customers_app]", "users: [warehouse_app]"]
                .iter()
                .fold(text.clone(), |text, theirs| text.replace(theirs, &format!("users: [{users}]")));
            (file.clone(), named)
        };
        Self { files: self.files.iter().map(with).collect() }
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
