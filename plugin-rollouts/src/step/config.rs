//! The step's `config` in the Rollout, read and checked.

use std::{collections::BTreeSet, time::Duration};

use serde::Deserialize;

/// Argo makes 30 s of anything up to 10 s; above five minutes nobody would call it a gate.
const REQUEUE_SECONDS: std::ops::RangeInclusive<u64> = 11..=300;

/// The configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepConfig {
    /// Judge these databases only; none means all that the pod template names.
    pub databases: Option<BTreeSet<String>>,
    /// How long Argo waits between two questions.
    pub requeue: Duration,
}

impl Default for StepConfig {
    fn default() -> Self {
        Self { databases: None, requeue: Duration::from_secs(15) }
    }
}

/// The configuration cannot be used. The texts go to users.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// It does not have the form that it must have.
    #[error("the config of this step cannot be read: {cause}; correct `plugin.config` in the Rollout's step")]
    Unreadable {
        /// What serde said: it names the field and the place.
        cause: String,
    },
    /// It restricts the step to nothing.
    #[error("`databases` in the config of this step is empty; name a database or remove the field")]
    NoDatabase,
    /// The requeue time is out of range.
    #[error(
        "`requeueSeconds` in the config of this step is {found}; it must be from {min} to {max}",
        min = REQUEUE_SECONDS.start(),
        max = REQUEUE_SECONDS.end()
    )]
    Requeue {
        /// What stood there.
        found: u64,
    },
}

/// As written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    databases: Option<BTreeSet<String>>,
    requeue_seconds: Option<u64>,
}

/// Reads the configuration; nothing and `null` mean the defaults.
///
/// # Errors
/// [`BadConfig`], which names the field and the remedy.
pub fn read(bytes: &[u8]) -> Result<StepConfig, BadConfig> {
    let mut config = StepConfig::default();
    if bytes.trim_ascii().is_empty() {
        return Ok(config);
    }
    // serde would also take a list of the fields' values in order.
    if bytes.trim_ascii().starts_with(b"[") {
        return Err(BadConfig::Unreadable { cause: "it is a list and must be an object".to_owned() });
    }
    let written: Option<Written> = serde_json::from_slice(bytes)
        .map_err(|cause| BadConfig::Unreadable { cause: cause.to_string().chars().take(300).collect() })?;
    let Some(Written { databases, requeue_seconds }) = written else { return Ok(config) };
    if databases.as_ref().is_some_and(BTreeSet::is_empty) {
        return Err(BadConfig::NoDatabase);
    }
    config.databases = databases;
    if let Some(found) = requeue_seconds {
        if !REQUEUE_SECONDS.contains(&found) {
            return Err(BadConfig::Requeue { found });
        }
        config.requeue = Duration::from_secs(found);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_means_the_defaults() {
        for nothing in ["", "  \n", "{}", "null", r#"{"databases":null}"#] {
            assert_eq!(read(nothing.as_bytes()).unwrap(), StepConfig::default(), "{nothing:?}");
        }
        assert_eq!(StepConfig::default().requeue, Duration::from_secs(15));
    }

    #[test]
    fn what_is_written_counts() {
        let config = read(br#"{"databases":["customers","orders"],"requeueSeconds":60}"#).unwrap();
        assert_eq!(config.databases, Some(["customers".to_owned(), "orders".to_owned()].into()));
        assert_eq!(config.requeue, Duration::from_secs(60));
    }

    #[test]
    fn errors_name_the_field_and_the_remedy() {
        let rows = [
            (r#"{"database":["a"]}"#, "unknown field `database`, expected `databases` or `requeueSeconds`"),
            (r#"{"databases":"customers"}"#, "invalid type: string \"customers\", expected a sequence"),
            (r#"{"databases":[]}"#, "name a database or remove the field"),
            (
                r#"{"requeueSeconds":10}"#,
                "`requeueSeconds` in the config of this step is 10; it must be from 11 to 300",
            ),
            (r#"{"requeueSeconds":301}"#, "is 301"),
            (r#"{"requeueSeconds":-1}"#, "invalid value: integer `-1`"),
            (r#"{"requeueSeconds":15,"requeueSeconds":20}"#, "duplicate field `requeueSeconds`"),
            ("[1]", "plugin.config"),
            ("{", "EOF while parsing"),
            ("\u{0}", "expected value"),
        ];
        for (text, want) in rows {
            let told = read(text.as_bytes()).unwrap_err().to_string();
            assert!(told.contains(want), "{text}: {told}");
        }
        assert!(read(&[0xff, 0xfe]).is_err());
        assert!(read(format!("{{\"{}\":1}}", "x".repeat(100_000)).as_bytes()).unwrap_err().to_string().len() < 500);
    }

    #[test]
    fn both_ends_of_the_range_are_inside() {
        for good in [11, 300] {
            let config = read(format!(r#"{{"requeueSeconds":{good}}}"#).as_bytes()).unwrap();
            assert_eq!(config.requeue, Duration::from_secs(good));
        }
    }
}
