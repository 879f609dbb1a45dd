//! Runs the container of a rendered Job as a process: its command, its environment, its files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, bail};
use k8s_openapi::ByteString;
use serde_json::Value;
use tests::kube_api::Objects;
use tokio::process::{Child, Command};

use crate::cluster::NAMESPACE;

/// A Job's container, ready to be started on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    program: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    /// Names of variables that hold a secret.
    secret: Vec<String>,
    files: Vec<PathBuf>,
}

impl Container {
    /// Reads the first container of a Job's pod template and lays its ConfigMaps out below `root`.
    ///
    /// # Errors
    /// When the Job refers to what is not there.
    pub(crate) fn of(job: &Value, objects: &Objects, root: &Path, binaries: &Path) -> anyhow::Result<Self> {
        let pod = job.pointer("/spec/template/spec").context("a Job has a pod template")?;
        let container = pod.pointer("/containers/0").context("a Job has a container")?;
        let mut files = Vec::new();
        let mut mounted: Vec<(String, String)> = Vec::new();
        for mount in array(container.get("volumeMounts")) {
            let (name, path) = (text(mount, "/name")?, text(mount, "/mountPath")?);
            let volume = array(pod.get("volumes")).into_iter().find(|volume| volume.get("name") == mount.get("name"));
            let volume = volume.with_context(|| format!("the Job has no volume {name}"))?;
            let inside = root.join(path.trim_start_matches('/'));
            let found = lay_out(volume, objects, &inside)?;
            if !found.is_empty() {
                files.extend(found);
                mounted.push((path, inside.to_string_lossy().into_owned()));
            }
        }
        let here = |word: String| {
            let mount = mounted.iter().find(|(path, _)| word == *path || word.starts_with(&format!("{path}/")));
            mount.map_or(word.clone(), |(path, inside)| word.replacen(path, inside, 1))
        };
        let command: Vec<String> =
            [container.get("command"), container.get("args")].into_iter().flat_map(strings).map(here).collect();
        let mut words = command.into_iter();
        let program = binaries.join(words.next().context("a Job has a command")?.trim_start_matches('/'));
        let (environment, secret) = environment(container, objects)?;
        Ok(Self { program, arguments: words.collect(), environment, secret, files })
    }

    /// What a person would type in `directory`; secrets are named, not shown.
    pub(crate) fn describe(&self, directory: &Path) -> String {
        let near = |text: &str| text.replace(&format!("{}/", directory.display()), "");
        let mut lines: Vec<String> = Vec::new();
        for (name, value) in &self.environment {
            let value = if self.secret.contains(name) { "(from its Secret)" } else { value };
            lines.push(format!("{name}={value}"));
        }
        lines.extend(self.files.iter().map(|file| near(&format!("file {}", file.display()))));
        let program = self.program.file_name().unwrap_or_default().to_string_lossy();
        lines.push(near(&format!("{program} {}", self.arguments.join(" "))));
        lines.join("\n")
    }

    /// Starts it. Its output comes through pipes.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub(crate) fn start(&self, kubeconfig: &Path) -> anyhow::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))
    }
}

/// Writes the ConfigMaps of a volume, plain or projected, as files.
fn lay_out(volume: &Value, objects: &Objects, inside: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut sources: Vec<&Value> = volume.get("configMap").into_iter().collect();
    sources.extend(array(volume.pointer("/projected/sources")).into_iter().filter_map(|one| one.get("configMap")));
    let mut files = Vec::new();
    for source in sources {
        let name = text(source, "/name")?;
        let map = objects.get("configmaps", NAMESPACE, &name).with_context(|| format!("no ConfigMap {name}"))?;
        let data = map.get("data").and_then(Value::as_object).with_context(|| format!("{name} has no data"))?;
        let items = array(source.get("items"));
        for (key, content) in data {
            let item = items.iter().find(|item| item.get("key").and_then(Value::as_str) == Some(key));
            let path = match item {
                Some(item) => text(item, "/path")?,
                None if items.is_empty() => key.clone(),
                None => continue,
            };
            let file = inside.join(&path);
            std::fs::create_dir_all(file.parent().context("a file has a parent")?)?;
            std::fs::write(&file, content.as_str().unwrap_or_default())?;
            files.push(file);
        }
    }
    Ok(files)
}

type Environment = (BTreeMap<String, String>, Vec<String>);

fn environment(container: &Value, objects: &Objects) -> anyhow::Result<Environment> {
    let mut environment = BTreeMap::new();
    let mut secret = Vec::new();
    for variable in array(container.get("env")) {
        let name = text(variable, "/name")?;
        let value = if let Some(value) = variable.get("value").and_then(Value::as_str) {
            value.to_owned()
        } else if let Some(reference) = variable.pointer("/valueFrom/secretKeyRef") {
            secret.push(name.clone());
            secret_value(reference, objects)?
        } else {
            match variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str) {
                Some("metadata.namespace") => NAMESPACE.to_owned(),
                Some("metadata.name") => "job-pod".to_owned(),
                other => bail!("the demo cannot fill {name} from {other:?}"),
            }
        };
        environment.insert(name, value);
    }
    Ok((environment, secret))
}

fn secret_value(reference: &Value, objects: &Objects) -> anyhow::Result<String> {
    let (name, key) = (text(reference, "/name")?, text(reference, "/key")?);
    let secret = objects.get("secrets", NAMESPACE, &name).with_context(|| format!("no Secret {name}"))?;
    let value = secret.pointer("/data").and_then(|data| data.get(&key)).cloned();
    let bytes: ByteString =
        serde_json::from_value(value.with_context(|| format!("the Secret {name} has no key {key}"))?)?;
    Ok(String::from_utf8(bytes.0)?)
}

fn array(value: Option<&Value>) -> Vec<&Value> {
    value.and_then(Value::as_array).into_iter().flatten().collect()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    array(value).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("the Job lacks {pointer}"))
}
