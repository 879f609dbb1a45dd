//! The command line, as typed.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  phasegate-argocd generate --namespace shop | kubectl diff -f -
      what Argo CD would apply for this folder
  phasegate-argocd lint --base origin/main
      what is wrong or unwise, also compared with the main branch; for CI
  phasegate-argocd matrix
      which version of the app may meet which phase of which schema change
  phasegate-argocd generate examples/customers-split/2-canary --namespace shop --set image=registry.example.org/p:1

Exit codes: 0 done; 1 something is wrong with the declarations; 2 wrong usage.
Errors go to stderr, one a line: file, line, field, what is wrong; what to do. Nothing is written to stdout then.";

/// Renders the migration Jobs of a Git folder for Argo CD, and checks the folder
///
/// A folder with a phasegate.yaml (a Database) and changes/*.yaml (its SchemaChanges) becomes a Job, a CronJob, the plan
/// in ConfigMaps, and a service account with its Role. The folder's other manifests are passed through as they are.
/// Nothing here talks to a database or a cluster: the same commit gives the same bytes.
#[derive(Debug, Parser)]
#[command(name = "phasegate-argocd", version, after_long_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the manifests to stdout: all of them, or none and an error
    Generate(Generate),
    /// Say what is wrong or unwise in the folder, without a database; exit code 1 on an error
    Lint(Lint),
    /// Show which version of the app may meet which phase of which change
    Matrix(Matrix),
    /// Write the parameters to stdout, as Argo CD's dynamic parameter announcement
    Parameters,
    /// Write the JSON Schema of a kind to stdout, for editors
    Schema(Schema),
    /// Write shell completions to stdout
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Which folder, and with which parameters.
#[derive(Debug, Group)]
pub(crate) struct Source {
    /// The folder to read
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// A parameter, as `phasegate-argocd parameters` lists them; lists and maps take commas: pod-labels=a=1,b=2
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// The parameters as Argo CD hands them over: a JSON list
    #[arg(long, value_name = "JSON", env = "ARGOCD_APP_PARAMETERS", hide_env_values = true)]
    pub(crate) parameters: Option<String>,
    /// Where the folder lies in its repository, as Argo CD says it: links may lead as far
    #[arg(long, value_name = "PATH", env = "ARGOCD_APP_SOURCE_PATH", hide = true)]
    pub(crate) place: Option<OsString>,
}

#[derive(Debug, Group)]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The namespace everything is for; Argo CD gives the Application's destination
    #[arg(long, value_name = "NAME", env = "ARGOCD_APP_NAMESPACE")]
    pub(crate) namespace: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct Lint {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Also compare with this commit: a contract beside the version that needs it, an applied change edited or removed
    #[arg(long, value_name = "REF")]
    pub(crate) base: Option<String>,
    /// What the gate's step plugin is called in the cluster's `argo-rollouts-config`
    #[arg(long, value_name = "NAME", default_value = schema_changes::STEP_NAME)]
    pub(crate) step: String,
    /// How long a canary may have to wait for the schema; a Rollout's progress deadline must not end before: 7d, 36h, 90m
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = duration)]
    pub(crate) wait: u64,
    /// As lines for people, or as JSON
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Debug, Group)]
pub(crate) struct Matrix {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Also show the versions of this commit
    #[arg(long, value_name = "REF")]
    pub(crate) base: Option<String>,
    /// As a table for people, or as JSON
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

#[derive(Debug, Group)]
pub(crate) struct Schema {
    /// The kind
    #[arg(value_enum)]
    pub(crate) kind: DeclaredKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeclaredKind {
    /// phasegate.yaml
    Database,
    /// changes/*.yaml
    SchemaChange,
}

/// Seconds, from `7d`, `36h`, `90m` or `600s`.
fn duration(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.strip_prefix(number) {
        Some("d") => 86_400,
        Some("h") => 3_600,
        Some("m") => 60,
        Some("s") => 1,
        Some(_) | None => return Err("write a number and d, h, m or s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a whole number and d, h, m or s".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("7d"), Ok(604_800));
        assert_eq!(duration("36h"), Ok(129_600));
        assert_eq!(duration("90m"), Ok(5_400));
        assert_eq!(duration("1s"), Ok(1));
        for bad in ["", "7", "d", "7w", "-1d", "1.5h", "99999999999999999999d", "999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
