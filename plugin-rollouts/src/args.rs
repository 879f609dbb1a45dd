//! The command line, as typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Holds a canary of Argo Rollouts until the database schema is ready for it.
///
/// This binary is a step plugin: the Argo Rollouts controller starts it and speaks with it. Install it in the
/// controller's ConfigMap `argo-rollouts-config` under the name phasegate/gate; nothing has to be started by hand.
///
/// Started by hand it says so and leaves with exit code 1.
#[derive(Debug, Parser)]
#[command(name = "phasegate-rollouts", version, max_term_width = 100)]
#[command(after_help = "\
A step that uses it:

  strategy:
    canary:
      steps:
        - plugin:
            name: phasegate/gate
        - setWeight: 20

Options go under `args` of the plugin's entry in argo-rollouts-config:

  stepPlugins: |
    - name: phasegate/gate
      location: file:///home/argo-rollouts/plugin-bin/phasegate-rollouts
      args: [--time-limit, \"4\"]

Facts come from the Kubernetes API (the pod's service account, or KUBECONFIG) and from the ledger in the database.
It only reads.")]
pub struct Args {
    /// What to do; by default, serve the host that started this process.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Seconds that one question may take; then it is undecided, and Argo asks again [1 to 20].
    ///
    /// A worker of the Argo Rollouts controller waits for each answer, and it has ten.
    #[arg(long, value_name = "SECONDS", default_value_t = 4, global = true)]
    pub time_limit: u64,

    /// What to log, to stderr, as JSON lines that Argo's log takes over [default: PHASEGATE_LOG, else info].
    #[arg(long, value_name = "LEVEL", global = true)]
    pub log: Option<LogLevel>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve the host that started this process (the default).
    Plugin,
    /// Copy this binary into a folder: for an init container of the controller.
    Install {
        /// The folder, such as /home/argo-rollouts/plugin-bin.
        directory: PathBuf,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How much to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Only what is broken.
    Error,
    /// Also what should be looked at.
    Warn,
    /// Also each decision.
    Info,
    /// Also how it came about.
    Debug,
    /// Everything.
    Trace,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["phasegate-rollouts"]).unwrap();
        assert!(args.command.is_none());
        assert_eq!((args.time_limit, args.log), (4, None));
        assert!(Args::try_parse_from(["phasegate-rollouts", "--time"]).is_err());
    }

    #[test]
    fn the_help_teaches() {
        let help = Args::command().term_width(100).render_long_help().to_string();
        insta::assert_snapshot!(help);
    }
}
