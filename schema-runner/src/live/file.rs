//! Live versions as a file states them: for a laptop and for CI, where there is no cluster to ask.

use std::path::PathBuf;

use async_trait::async_trait;
use schema_phases::{
    AppVersion, BadDigest, BadSupports, Because, Fact, Missing, Moment, PlanDigest, Sighting, Supports,
};
use serde::Deserialize;

use super::{LiveVersion, LiveVersions, Presence};
use crate::{clock::Clock, wanted::WantedPlan};

/// What such a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The versions.
    pub versions: Vec<LiveVersion>,
    /// The plan that is wanted, when the file names one.
    pub wanted: Option<PlanDigest>,
}

/// A file that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum BadLiveFile {
    /// It is no YAML of the expected form.
    #[error("it must be a list of {{name, supports}}, or a mapping of `versions` and `wantedDigest`: {cause}")]
    Form {
        /// What the parser said, with the line.
        cause: String,
    },
    /// A list of supported changes is broken.
    #[error("the version `{version}` has a broken `supports`: {cause}")]
    Supports {
        /// The version.
        version: String,
        /// What is wrong with it.
        cause: BadSupports,
    },
    /// The wanted digest is none.
    #[error("`wantedDigest`: {0}")]
    Digest(BadDigest),
}

/// The file as written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(default)]
    versions: Vec<WrittenVersion>,
    #[serde(default)]
    wanted_digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenVersion {
    name: String,
    #[serde(default)]
    supports: String,
    /// Whether it runs, or merely may be started at any moment.
    #[serde(default = "yes")]
    running: bool,
}

const fn yes() -> bool {
    true
}

impl std::str::FromStr for Stated {
    type Err = BadLiveFile;

    fn from_str(text: &str) -> Result<Self, BadLiveFile> {
        let form = |cause: serde_saphyr::Error| BadLiveFile::Form { cause: cause.to_string() };
        let empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        let is_list = text
            .lines()
            .map(str::trim_start)
            .find(|line| !line.is_empty() && !line.starts_with('#') && *line != "---")
            .is_some_and(|line| line.starts_with('-') || line.starts_with('['));
        let written = if empty {
            Written { versions: Vec::new(), wanted_digest: None }
        } else if is_list {
            Written { versions: serde_saphyr::from_str(text).map_err(form)?, wanted_digest: None }
        } else {
            serde_saphyr::from_str(text).map_err(form)?
        };
        let wanted = written.wanted_digest.map(|digest| digest.parse().map_err(BadLiveFile::Digest)).transpose()?;
        let mut versions = Vec::new();
        for WrittenVersion { name, supports, running } in written.versions {
            if let Err(cause) = supports.parse::<Supports>() {
                return Err(BadLiveFile::Supports { version: name, cause });
            }
            versions.push(LiveVersion {
                version: AppVersion { name, annotation: supports },
                presence: if running { Presence::Running } else { Presence::Startable },
            });
        }
        Ok(Self { versions, wanted })
    }
}

/// The file, read anew at each look.
#[derive(Clone, Debug)]
pub struct LiveFile {
    path: PathBuf,
    own: PlanDigest,
    clock: Clock,
}

impl LiveFile {
    /// The file at `path`. The wanted plan is `own`, unless the file names another.
    pub fn new(path: PathBuf, own: PlanDigest, clock: Clock) -> Self {
        Self { path, own, clock }
    }

    async fn read(&self, fact: Fact) -> Result<(Stated, Moment), Missing> {
        let at = self.clock.now();
        let path = self.path.display();
        let text = tokio::fs::read_to_string(&self.path)
            .await
            .map_err(|cause| Missing { fact, because: Because::Unreachable(format!("{path}: {cause}")) })?;
        let stated = text
            .parse()
            .map_err(|bad: BadLiveFile| Missing { fact, because: Because::Untrusted(format!("{path}: {bad}")) })?;
        Ok((stated, at))
    }
}

#[async_trait]
impl LiveVersions for LiveFile {
    async fn look(&self) -> Sighting<Vec<LiveVersion>> {
        match self.read(Fact::LiveVersions).await {
            Ok((stated, at)) => Sighting::Seen { value: stated.versions, at },
            Err(missing) => Sighting::Missing(missing),
        }
    }

    fn counts_sessions(&self) -> bool {
        false
    }
}

#[async_trait]
impl WantedPlan for LiveFile {
    async fn wanted(&self) -> Sighting<PlanDigest> {
        match self.read(Fact::WantedPlan).await {
            Ok((stated, at)) => Sighting::Seen { value: stated.wanted.unwrap_or_else(|| self.own.clone()), at },
            Err(missing) => Sighting::Missing(missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, String> {
        text.parse::<Stated>()
            .map(|stated| {
                stated.versions.into_iter().map(|live| format!("{}/{:?}", live.version.name, live.presence)).collect()
            })
            .map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_list_and_a_mapping_are_both_understood_and_an_empty_file_means_nobody() {
        let running = Ok(vec!["v1/Running".to_owned()]);
        assert_eq!(names("- name: v1\n"), running);
        assert_eq!(names("# who is live\n\n- {name: v1, supports: split-full-name}\n"), running);
        assert_eq!(names("versions:\n- name: v1\n"), running);
        assert_eq!(names("- {name: v1, running: false}"), Ok(vec!["v1/Startable".to_owned()]));
        assert_eq!(names("[]"), Ok(Vec::new()));
        assert_eq!(names("\n# nobody\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_and_never_nobody() {
        for (text, want) in [
            ("- nam: v1\n", "must be a list of {name, supports}"),
            ("verions: []\n", "must be a list of {name, supports}"),
            ("- {name: v1, supports: 'a,'}\n", "the version `v1` has a broken `supports`"),
            ("wantedDigest: abc\n", "64 lower-case hexadecimal digits"),
            ("just words\n", "must be a list of {name, supports}"),
        ] {
            let told = names(text).unwrap_err();
            assert!(told.contains(want), "{text}: {told}");
        }
    }
}
