//! The `config` of a step `phasegate/gate` in a Rollout. The gate, `check-config` and `lint` read it by this one file.

use std::{collections::BTreeSet, sync::LazyLock, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    FileError,
    declared::{
        Complaints,
        measure::{self, Question},
        schema::step_config_schema,
        shape,
        yaml::{self, Node, Value},
    },
};

/// What a step is called in a Rollout, unless the plugin was registered under another name.
pub const STEP_NAME: &str = "phasegate/gate";

/// Argo makes 30 s of anything up to 10 s; above five minutes nobody would call it a gate.
const REQUEUE: std::ops::RangeInclusive<u64> = 11..=300;
/// The longest time that a measure must have held: Prometheus computes all of it at each question.
const HELD: std::ops::RangeInclusive<u64> = 0..=3_600;
/// From a minute to 30 days.
const OVERDUE: std::ops::RangeInclusive<u64> = 60..=2_592_000;
/// From half a minute to a day.
const WATCH: std::ops::RangeInclusive<u64> = 30..=86_400;
const TOLERATED: std::ops::RangeInclusive<u32> = 0..=10;
/// Each is a query or two at each question.
const MOST_MEASURES: usize = 10;

static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(step_config_schema);

/// The configuration of a step, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct StepConfig {
    /// Judge these databases only; none means all that the pod template names.
    pub databases: Option<BTreeSet<String>>,
    /// How long Argo waits between two questions.
    pub requeue: Duration,
    /// What Prometheus must say.
    pub measures: Vec<Measure>,
    /// How long to wait before a person is told.
    pub overdue_after: Duration,
    /// What becomes of a wait that is longer.
    pub when_overdue: WhenOverdue,
    /// Whether the step watches, and for how long.
    pub watch: Option<Watch>,
}

impl Default for StepConfig {
    fn default() -> Self {
        Self {
            databases: None,
            requeue: Duration::from_secs(15),
            measures: Vec::new(),
            overdue_after: Duration::from_secs(3_600),
            when_overdue: WhenOverdue::Wait,
            watch: None,
        }
    }
}

/// One thing that Prometheus is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What it is called in messages.
    pub name: String,
    /// Which of the servers that the gate knows; none for the first of them.
    pub server: Option<String>,
    /// The query, in PromQL; its answer is one number.
    pub query: String,
    /// The number must not be above this.
    pub at_most: Option<f64>,
    /// The number must not be below this.
    pub at_least: Option<f64>,
    /// For how long that must have been so without a break.
    pub held: Duration,
}

/// What becomes of a wait that is longer than its owner thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenOverdue {
    /// It goes on.
    Wait,
    /// The canary is refused, wherever a refusal is allowed.
    Refuse,
}

/// A step that keeps looking for a time, and refuses when a measure is out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// For how long everything must be seen to be well.
    pub lasting: Duration,
    /// So many looks in a row may be bad before the canary is refused.
    pub tolerated: u32,
}

/// The configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the config of this step cannot be used: {what}; correct `plugin.config` in the Rollout's step")]
pub struct BadStepConfig {
    /// The field and what is wrong with it.
    pub what: String,
}

/// The `config` of a step `phasegate/gate` in a Rollout. Every field may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "StepConfig")]
pub(crate) struct Written {
    /// Judge these databases only, each of which the pod template must name with a label; by default all that it names.
    databases: Option<BTreeSet<String>>,
    /// How long Argo waits between two questions: 11 to 300, by default 15. Argo makes 30 of anything up to 10, and adds 5.
    #[schemars(range(min = 11, max = 300))]
    requeue_seconds: Option<u64>,
    /// What Prometheus must say before the canary goes on; at most 10.
    prometheus: Option<Vec<WrittenMeasure>>,
    /// How long to wait before a person is told, and what to do then.
    overdue: Option<WrittenOverdue>,
    /// Makes the step a watch: it goes on looking for a time, and refuses the canary when Prometheus says that a measure
    /// is out of bounds.
    watch: Option<WrittenWatch>,
}

/// One number that Prometheus computes, and its bounds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenMeasure {
    /// What it is called in messages: 1 to 40 characters of a-z, 0-9 and -.
    name: String,
    /// Which of the servers that the gate was started with; by default the first.
    server: Option<String>,
    /// The query, in PromQL. Its answer must be one number: no answer, NaN or several series are missing facts.
    query: String,
    /// The number must not be above this.
    at_most: Option<f64>,
    /// The number must not be below this.
    at_least: Option<f64>,
    /// For how long that must have been so without a break: 0 to 3600 seconds, by default 0.
    #[schemars(range(max = 3600))]
    for_seconds: Option<u64>,
}

/// How long to wait before a person is told, and what to do then.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenOverdue {
    /// A wait that is longer is told in an event and in the message: 60 to 2592000 seconds, by default 3600.
    #[schemars(range(min = 60, max = 2_592_000))]
    after_seconds: Option<u64>,
    /// What becomes of it then; by default it waits on.
    then: Option<WrittenThen>,
}

/// What becomes of a wait that is longer than its owner thought.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum WrittenThen {
    /// It goes on.
    Wait,
    /// The canary is refused, if the stable version fits the schema.
    Refuse,
}

/// How long to watch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenWatch {
    /// For how long everything must be seen to be well: 30 to 86400 seconds. Looks that saw too little do not count.
    #[schemars(range(min = 30, max = 86400))]
    for_seconds: u64,
    /// So many bad looks in a row only make it wait; the next one refuses. 0 to 10, by default 0.
    #[schemars(range(max = 10))]
    tolerate: Option<u32>,
}

impl StepConfig {
    /// Reads what Argo hands over: a JSON object; nothing and `null` mean the defaults.
    ///
    /// # Errors
    /// [`BadStepConfig`], which names the field and the remedy.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BadStepConfig> {
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        // serde would also take a list of the fields' values in order.
        if bytes.starts_with(b"[") {
            return Err(BadStepConfig { what: "it is a list and must be an object".to_owned() });
        }
        let written: Option<Written> = serde_json::from_slice(bytes)
            .map_err(|cause| BadStepConfig { what: cause.to_string().chars().take(300).collect() })?;
        let nowhere = Node { line: 0, value: Value::Null };
        let mut complaints = Complaints::new("", &nowhere);
        let config = checked(&mut complaints, written.unwrap_or_default());
        match complaints.into_errors().into_iter().next() {
            None => Ok(config),
            Some(FileError { field, message, .. }) => {
                Err(BadStepConfig { what: format!("{}: {message}", field.unwrap_or_default()) })
            }
        }
    }
}

/// Checks the config of every step of this name in a file of manifests, or a file that holds one such config and nothing
/// else. Gives their number.
///
/// # Errors
/// Everything that is wrong with them, with file, line and field.
pub fn check_step_configs(file: &str, text: &str, step: &str) -> Result<usize, Vec<FileError>> {
    let trees: Vec<Node> = yaml::manifests(text).map_err(|bad| vec![bad.in_file(file)])?;
    let values: Vec<serde_json::Value> = yaml::manifests(text).map_err(|bad| vec![bad.in_file(file)])?;
    let (mut found, mut errors) = (0, Vec::new());
    for (tree, value) in trees.iter().zip(&values) {
        each_config(tree, value, step, &mut |path, tree, value| {
            found += 1;
            errors.extend(problems(file, path, tree, value));
        });
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// Walks to the configs of one document: a Rollout, a list of objects, or a bare config.
fn each_config(
    tree: &Node,
    value: &serde_json::Value,
    name: &str,
    seen: &mut impl FnMut(&str, &Node, &serde_json::Value),
) {
    let Some(kind) = value.get("kind").and_then(serde_json::Value::as_str) else {
        if tree.value != Value::Null {
            seen("", tree, value);
        }
        return;
    };
    if kind.ends_with("List") {
        for (at, item) in value.get("items").and_then(serde_json::Value::as_array).into_iter().flatten().enumerate() {
            if let Some(tree) = tree.get("items").and_then(|items| items.get(&at.to_string())) {
                each_config(tree, item, name, seen);
            }
        }
        return;
    }
    if kind != "Rollout" {
        return;
    }
    let steps = value.pointer("/spec/strategy/canary/steps").and_then(serde_json::Value::as_array);
    for (at, step) in steps.into_iter().flatten().enumerate() {
        if step.pointer("/plugin/name").and_then(serde_json::Value::as_str) != Some(name) {
            continue;
        }
        let place = at.to_string();
        let path = ["spec", "strategy", "canary", "steps", &place, "plugin", "config"];
        let tree = path.iter().try_fold(tree, |node, key| node.get(key));
        if let (Some(tree), Some(config)) = (tree, step.pointer("/plugin/config")) {
            seen(&path.join("."), tree, config);
        } else {
            seen(&path.join("."), &Node { line: 0, value: Value::Null }, &serde_json::Value::Null);
        }
    }
}

fn problems(file: &str, path: &str, tree: &Node, value: &serde_json::Value) -> Vec<FileError> {
    let mut complaints = Complaints::new(file, tree);
    if tree.value != Value::Null {
        shape::check(&mut complaints, &SCHEMA, tree);
        if complaints.is_empty() {
            match serde_json::from_value::<Written>(value.clone()) {
                Ok(written) => drop(checked(&mut complaints, written)),
                // Its shape was right, so this is a number out of its type's range.
                Err(cause) => complaints.add(&[], cause, "correct the number"),
            }
        }
    }
    let mut errors = complaints.into_errors();
    for error in &mut errors {
        error.field = match (path, error.field.take()) {
            ("", field) => field,
            (path, Some(field)) => Some(format!("{path}.{field}")),
            (path, None) => Some(path.to_owned()),
        };
    }
    errors
}

fn checked(complaints: &mut Complaints<'_>, written: Written) -> StepConfig {
    let Written { databases, requeue_seconds, prometheus, overdue, watch } = written;
    let standard = StepConfig::default();
    if databases.as_ref().is_some_and(BTreeSet::is_empty) {
        complaints.add(&["databases"], "the list is empty", "name a database or remove the field");
    }
    let requeue = requeue_seconds.map_or(standard.requeue, |seconds| {
        in_range(complaints, &["requeueSeconds"], seconds, &REQUEUE);
        Duration::from_secs(seconds)
    });
    let measures = checked_measures(complaints, prometheus.unwrap_or_default());
    let WrittenOverdue { after_seconds, then } = overdue.unwrap_or(WrittenOverdue { after_seconds: None, then: None });
    let overdue_after = after_seconds.map_or(standard.overdue_after, |seconds| {
        in_range(complaints, &["overdue", "afterSeconds"], seconds, &OVERDUE);
        Duration::from_secs(seconds)
    });
    let when_overdue = match then {
        None | Some(WrittenThen::Wait) => WhenOverdue::Wait,
        Some(WrittenThen::Refuse) => WhenOverdue::Refuse,
    };
    let watch = watch.map(|WrittenWatch { for_seconds, tolerate }| {
        in_range(complaints, &["watch", "forSeconds"], for_seconds, &WATCH);
        let tolerated = tolerate.unwrap_or(0);
        if !TOLERATED.contains(&tolerated) {
            out_of_range(complaints, &["watch", "tolerate"], tolerated.into(), 0, 10);
        }
        if measures.is_empty() {
            let what = "there is nothing to watch";
            complaints.add(&["watch"], what, "add `prometheus`, or use a pause step of Argo's own");
        }
        Watch { lasting: Duration::from_secs(for_seconds), tolerated }
    });
    StepConfig { databases, requeue, measures, overdue_after, when_overdue, watch }
}

fn checked_measures(complaints: &mut Complaints<'_>, written: Vec<WrittenMeasure>) -> Vec<Measure> {
    if written.len() > MOST_MEASURES {
        let what = format!("{} queries are asked at each question, and at most {MOST_MEASURES} may be", written.len());
        complaints.add(&["prometheus"], what, "join some of them into one query");
    }
    let mut names = BTreeSet::new();
    let mut measures = Vec::new();
    for (at, measure) in written.into_iter().enumerate() {
        let WrittenMeasure { name, server, query, at_most, at_least, for_seconds } = measure;
        let place = at.to_string();
        let of = |field: &'static str| ["prometheus".to_owned(), place.clone(), field.to_owned()];
        let mut add = |field: &'static str, message: String, remedy: &str| {
            let path = of(field);
            complaints.add(&path.each_ref().map(String::as_str), message, remedy);
        };
        let question = Question { name: &name, server: server.as_deref(), query: &query, at_most, at_least };
        measure::check(&question, &mut add);
        if !names.insert(name.clone()) {
            add("name", format!("`{name}` stands there twice"), "rename one");
        }
        let seconds = for_seconds.unwrap_or(0);
        if !HELD.contains(&seconds) {
            add("forSeconds", format!("{seconds} is not from 0 to 3600"), "shorten it, or add a watch step");
        }
        measures.push(Measure { name, server, query, at_most, at_least, held: Duration::from_secs(seconds) });
    }
    measures
}

fn in_range(complaints: &mut Complaints<'_>, path: &[&str], found: u64, range: &std::ops::RangeInclusive<u64>) {
    if !range.contains(&found) {
        out_of_range(complaints, path, found, *range.start(), *range.end());
    }
}

fn out_of_range(complaints: &mut Complaints<'_>, path: &[&str], found: u64, least: u64, most: u64) {
    let remedy = format!("write a number from {least} to {most}");
    complaints.add(path, format!("{found} is not from {least} to {most}"), remedy);
}

#[cfg(test)]
mod tests;
