//! The command line, as typed.

use std::{net::SocketAddr, path::PathBuf};

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
It only reads. With an endpoint, `phasegate-rollouts serve` does that, and this process needs no credential:

      args: [--endpoint, \"https://phasegate.phasegate.svc:8443\",
             --ca-file, /etc/phasegate/ca/ca.crt, --token-file, /var/run/phasegate/token]")]
pub struct Args {
    /// What to do; by default, serve the host that started this process.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Seconds that one question may take; then it is undecided, and Argo asks again [1 to 20].
    ///
    /// A worker of the Argo Rollouts controller waits for each answer, and it has ten.
    #[arg(long, value_name = "SECONDS", default_value_t = 4, global = true)]
    pub time_limit: u64,

    /// The address of `phasegate-rollouts serve`, https://...; without it, this process looks at the facts itself.
    #[arg(long, value_name = "URL", requires_all = ["ca_file", "token_file"])]
    pub endpoint: Option<String>,

    /// Who signs the certificate of that address: certificates in PEM.
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    pub ca_file: Option<PathBuf>,

    /// A projected service account token of audience phasegate, read anew for each question.
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    pub token_file: Option<PathBuf>,

    /// What is spoken with the host. Argo Rollouts accepts netrpc only.
    #[arg(long, value_name = "PROTOCOL", value_enum, default_value_t = HostProtocol::Netrpc)]
    pub protocol: HostProtocol,

    /// Where this process tells Prometheus its metrics, over plain HTTP; by default nowhere.
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,

    /// A file that names the Prometheus servers which steps may ask.
    #[arg(long, value_name = "FILE", global = true)]
    pub prometheus: Option<PathBuf>,

    /// A collector that takes OpenTelemetry traces over HTTP, http(s)://<host>:4318; by default none are made.
    #[arg(long, value_name = "URL", global = true)]
    pub otlp: Option<String>,

    /// What to log, to stderr, as JSON lines that Argo's log takes over [default: PHASEGATE_LOG, else info].
    #[arg(long, value_name = "LEVEL", global = true)]
    pub log: Option<LogLevel>,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve the host that started this process (the default).
    Plugin,
    /// Serve a whole cluster: hold the databases' credentials, so that Argo needs none.
    Serve(ServeArgs),
    /// Put a new token for the AnalysisTemplate into its Secret: for a CronJob of the namespace.
    RenewToken(RenewTokenArgs),
    /// Copy this binary into a folder: for an init container of the controller.
    Install {
        /// The folder, such as /home/argo-rollouts/plugin-bin.
        directory: PathBuf,
    },
    /// Check the config of every step of the gate in a file: a manifest of a Rollout, or a config alone.
    CheckConfig {
        /// The file, YAML or JSON.
        file: PathBuf,
        /// What the plugin is called in `argo-rollouts-config`.
        #[arg(long, value_name = "NAME", default_value = schema_changes::STEP_NAME)]
        step: String,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How to serve a cluster.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// Where questions arrive: gRPC and HTTP/JSON, over TLS.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,

    /// Where /healthz, /readyz and /metrics are, over plain HTTP.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub http: SocketAddr,

    /// The certificate chain, in PEM. Both files are read again when they change.
    #[arg(long, value_name = "FILE", default_value = "/etc/phasegate/tls/tls.crt")]
    pub certificate: PathBuf,

    /// Its key, in PEM.
    #[arg(long, value_name = "FILE", default_value = "/etc/phasegate/tls/tls.key")]
    pub key: PathBuf,

    /// A user that may ask about every namespace; may be given several times.
    #[arg(long, value_name = "USER", default_value = "system:serviceaccount:argo-rollouts:argo-rollouts")]
    pub caller: Vec<String>,

    /// The service account that may ask about its own namespace, in each of them: for an AnalysisTemplate.
    #[arg(long, value_name = "NAME", default_value = "phasegate-asker")]
    pub namespace_caller: String,

    /// Seconds between the signal to end and the end of new questions, in which the cluster learns of it [0 to 60].
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub drain: u64,
}

/// Which token to renew, in the namespace of this pod.
#[derive(Clone, Debug, clap::Args)]
pub struct RenewTokenArgs {
    /// The service account that the AnalysisTemplate asks as.
    #[arg(long, value_name = "NAME", default_value = "phasegate-asker")]
    pub account: String,

    /// The Secret whose key `token` the AnalysisTemplate reads. It must be there; deleting it revokes the token.
    #[arg(long, value_name = "NAME", default_value = "phasegate-asker")]
    pub secret: String,

    /// How many hours the token shall be good for; the API server may give less [1 to 8760].
    #[arg(long, value_name = "HOURS", default_value_t = 48)]
    pub hours: u64,
}

/// What is spoken with the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostProtocol {
    /// go-plugin's net/rpc.
    Netrpc,
    /// go-plugin's gRPC, for a host that accepts it.
    Grpc,
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
