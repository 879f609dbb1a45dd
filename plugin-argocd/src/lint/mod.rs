//! What is wrong or unwise in a checkout and needs no database to be seen. One rule a file.

mod annotations;
mod application;
mod blue_green;
mod consumers;
mod contract_together;
mod credentials;
mod deadline;
mod declarations;
mod doors;
mod edited;
mod engine;
mod gate;
mod labels;
mod removed;
mod runner_jobs;
mod step;
mod target;
mod target_back;
mod together;
mod unlabelled;
pub(crate) mod versions;
mod waves;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

use crate::{declared::Declared, manifest::node::Node, params::Params, problem::Problem};

/// How bad a finding is. Only errors make `lint` fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It breaks, or can lose writes.
    Error,
    /// It works until something else goes wrong.
    Warning,
    /// A door that stays open by Argo's nature; said once, so that nobody is surprised.
    Note,
}

impl Severity {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule's name; the rules leave it empty, [`lint`] fills it in.
    pub(crate) rule: &'static str,
    pub(crate) severity: Severity,
    pub(crate) what: Problem,
}

impl Finding {
    pub(crate) fn error(place: &str, line: u32, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Error, place, line, message, remedy)
    }

    pub(crate) fn warning(place: &str, line: u32, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Warning, place, line, message, remedy)
    }

    pub(crate) fn new(
        severity: Severity,
        place: &str,
        line: u32,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { rule: "", severity, what: Problem::new(place, message, remedy).line(line) }
    }

    /// What already keeps `generate` from working.
    pub(crate) fn from_problem(what: Problem) -> Self {
        Self { rule: "declarations", severity: Severity::Error, what }
    }

    /// What the other commit declares in a way nobody can read.
    pub(crate) fn not_compared(what: Problem) -> Self {
        let remedy = "it is not compared with".to_owned();
        Self { rule: "declarations", severity: Severity::Warning, what: Problem { remedy, ..what } }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] {}", self.severity.as_str(), self.rule, self.what)
    }
}

/// What the rules look at.
pub(crate) struct Context<'a> {
    pub(crate) now: &'a Declared,
    /// Another commit to compare with.
    pub(crate) base: Option<&'a Declared>,
    pub(crate) params: &'a Params,
    /// What the canary step is called in Argo Rollouts.
    pub(crate) step: &'a str,
    /// How long a canary may have to wait.
    pub(crate) wait_seconds: u64,
}

type Rule = fn(&Context<'_>) -> Vec<Finding>;

/// Every rule, by the name that is shown.
pub(crate) const RULES: &[(&str, Rule)] = &[
    ("declarations", declarations::check),
    ("engine", engine::check),
    ("annotations", annotations::check),
    ("labels", labels::check),
    ("target", target::check),
    ("consumers", consumers::check),
    ("deploy-together", together::check),
    ("contract-together", contract_together::check),
    ("edited", edited::check),
    ("removed", removed::check),
    ("target-back", target_back::check),
    ("credentials", credentials::check),
    ("unlabelled", unlabelled::check),
    ("gate", gate::check),
    ("gate-step", step::check),
    ("blue-green", blue_green::check),
    ("progress-deadline", deadline::check),
    ("doors", doors::check),
    ("runner-jobs", runner_jobs::check),
    ("waves", waves::check),
    ("application", application::check),
];

/// Asks every rule; the worst findings come first, and within one severity they stand by place.
pub(crate) fn lint(context: &Context<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        RULES.iter().flat_map(|(rule, check)| check(context).into_iter().map(|finding| named(finding, rule))).collect();
    findings.sort_by(|a, b| {
        (a.severity, &a.what.place, a.what.line, a.rule).cmp(&(b.severity, &b.what.place, b.what.line, b.rule))
    });
    findings
}

/// What `schema-changes` found has a name already.
fn named(finding: Finding, rule: &'static str) -> Finding {
    if finding.rule.is_empty() { Finding { rule, ..finding } } else { finding }
}

/// A line for each finding, and one that counts them.
pub(crate) fn as_text(findings: &[Finding]) -> String {
    let mut text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counted: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .map(|severity| (severity.as_str(), count(severity)))
        .map(|(word, count)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    text.push_str(&counted.join(", "));
    text.push('\n');
    text
}

#[derive(Serialize)]
struct FindingJson<'a> {
    rule: &'a str,
    severity: &'static str,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: &'a str,
    remedy: &'a str,
}

/// The same as a JSON list.
///
/// # Errors
/// None that can happen.
pub(crate) fn as_json(findings: &[Finding]) -> serde_json::Result<Vec<u8>> {
    let all: Vec<FindingJson<'_>> = findings
        .iter()
        .map(|Finding { rule, severity, what }| {
            let Problem { place, line, field, message, remedy } = what;
            FindingJson {
                rule,
                severity: severity.as_str(),
                file: place,
                line: *line,
                field: field.as_deref(),
                message,
                remedy,
            }
        })
        .collect();
    let mut json = serde_json::to_vec_pretty(&all)?;
    json.push(b'\n');
    Ok(json)
}

/// `; did you mean a or b?`, or nothing.
fn did_you_mean(near: &[&str]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
}

/// The line of a node, or of its parent.
fn line_of(node: Option<&Node>, otherwise: u32) -> u32 {
    node.map_or(otherwise, |node| node.line)
}
