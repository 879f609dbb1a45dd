//! The command line, as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use schema_changes::NICE_RATIOS;

/// Moves a database through the schema phases that Git asks for, and says whether a version of an app may meet it.
#[derive(Debug, Parser)]
#[command(name = "phasegate", version, propagate_version = true, max_term_width = 110, after_long_help = TOP_EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,

    /// A file that holds the database's URL: postgres://user:password@host/database or sqlite:///path/to/file.db.
    ///
    /// Without it the URL is taken from the environment variable PHASEGATE_DATABASE_URL. There is no argument for the URL
    /// itself: arguments are visible to every user of the machine.
    #[arg(long, global = true, value_name = "FILE", env = "PHASEGATE_DATABASE_URL_FILE", hide_env_values = true)]
    pub(crate) database_url_file: Option<PathBuf>,

    /// What to log to standard error, as `tracing` filters write it: `info`, `schema_runner=debug`.
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "PHASEGATE_LOG",
        hide_env_values = true,
        default_value = "warn"
    )]
    pub(crate) log: String,
}

const TOP_EXAMPLES: &str = "\
Examples:
  Where does the database stand?
    PHASEGATE_DATABASE_URL=sqlite:///tmp/customers.db phasegate status

  What would be done, with its SQL, locks, rows and losses? (Changes nothing.)
    phasegate --database-url-file url plan --plan .

  Do it, on a laptop; live.yaml says which versions of the app run:
    phasegate --database-url-file url run --plan . --live live.yaml

  May this version be let in?
    phasegate --database-url-file url check --database customers --supports split-full-name --wait 10m

Exit codes of `run`: 0 done, blocked or superseded; 75 try again; 78 it never will.
Exit codes of `check`: 0 proceed; 3 wait; 4 refuse; 5 undecided.
Exit codes of `verify`, `doctor` and `adopt`: 0 all is well; 78 something is not, and is named.
All commands: 64 the command line is wrong; 75 the database is out of reach; 78 the plan or the ledger is wrong.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take the database to the phases that Git asks for.
    Run(RunArgs),
    /// Show what `run` would do, and change nothing.
    Plan(PlanArgs),
    /// Show where the changes of the database stand.
    Status(StatusArgs),
    /// Look for what the ledger says in the database, object by object and row by row, and change nothing.
    Verify(VerifyArgs),
    /// Examine a database before anything changes: rights, replication, triggers, views, sizes.
    Doctor(VerifyArgs),
    /// Begin a ledger on a database that has none, after looking where each change of Git is in its catalog.
    Adopt(AdoptArgs),
    /// Make the backfills of a database rest after the batch in hand, until `resume`; other moves go on.
    Pause(PauseArgs),
    /// Let paused backfills go on.
    Resume,
    /// Ask the gate's question by hand, or from an init container: may this version be let in?
    Check(CheckArgs),
    /// Print the SQL of a role that can only read, for the gate. Asks no database.
    GateRole(GateRoleArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[value(alias = "text")]
    Table,
    /// For programs; `run` prints one object a line.
    Json,
}

/// `phasegate run`.
#[derive(Debug, Args)]
#[command(after_long_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    /// The directory with phasegate.yaml and changes/.
    #[arg(long, value_name = "DIR")]
    pub(crate) plan: PathBuf,

    #[command(flatten)]
    /// Where the live versions are seen.
    pub(crate) live: LiveArgs,

    /// Leave with 0 when another runner is at work, instead of waiting for it: for a CronJob.
    #[arg(long)]
    pub(crate) if_free: bool,

    /// For how long the locks of one short transaction are tried before the move is put off.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) lock_patience: std::time::Duration,

    /// For how long a database that is away is tried again before leaving with 75.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub(crate) retry_for: std::time::Duration,

    /// How long one batch of a backfill aims to take: a writer that meets it waits that long. Otherwise
    /// spec.backfill.batch, or 35ms; on SQLite 2ms.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) batch: Option<std::time::Duration>,

    /// How long to rest after each batch, as so many times what it took, 0 to 10: 1 leaves the database to others for half of
    /// the time. Otherwise spec.backfill.niceRatio, or 0; on SQLite 3.
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(crate) nice_ratio: Option<f64>,

    /// How many connections fill rows at once. Otherwise spec.backfill.connections, or 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) connections: Option<u32>,

    /// The Prometheus servers that spec.backfill.throttle.prometheus asks: the same file as the gate's.
    #[arg(long, value_name = "FILE")]
    pub(crate) prometheus: Option<PathBuf>,

    /// Answer Prometheus' scrapes at this address while it runs: 0.0.0.0:9102.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<std::net::SocketAddr>,

    /// How to print what happens.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

const RUN_EXAMPLES: &str = "\
Examples:
  On a laptop, with the live versions in a file:
    phasegate run --plan . --live live.yaml
    where live.yaml is, for example:
      - {name: v1}                                # built for the old shape of everything
      - {name: v2, supports: split-full-name}     # built for the new shape of that change

  In a Job: the live versions are read from the API, the wanted plan from the ConfigMap phasegate-<database>:
    phasegate run --plan /etc/phasegate/plan --kubernetes --namespace shop

  With neither, only moves that harm no conceivable version are made:
    phasegate run --plan .

Exit codes:
  0   done; or blocked (the next run tries again); or superseded by a newer plan
  75  try again: the database or the API was away, a table stayed locked, or SIGTERM came
  78  it never will, until somebody changes something: a bad plan, an applied change edited, rows that disagree";

/// Where the live versions are seen.
#[derive(Debug, Args)]
pub(crate) struct LiveArgs {
    /// A YAML file that states the live versions: a list of {name, supports}. Read anew at each look.
    #[arg(long, value_name = "FILE", conflicts_with = "kubernetes")]
    pub(crate) live: Option<PathBuf>,

    /// Read the live versions and the wanted plan from the Kubernetes API (in-cluster, or by KUBECONFIG).
    #[arg(long)]
    pub(crate) kubernetes: bool,

    /// The namespace of the Database.
    #[arg(long, value_name = "NS", env = "PHASEGATE_NAMESPACE", hide_env_values = true)]
    pub(crate) namespace: Option<String>,
}

/// `phasegate plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The directory with phasegate.yaml and changes/.
    #[arg(long, value_name = "DIR")]
    pub(crate) plan: PathBuf,

    #[command(flatten)]
    /// Where the live versions are seen.
    pub(crate) live: LiveArgs,

    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// `phasegate status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// `phasegate adopt`.
#[derive(Debug, Args)]
#[command(after_long_help = ADOPT_EXAMPLES)]
pub(crate) struct AdoptArgs {
    /// The directory with phasegate.yaml and changes/.
    #[arg(long, value_name = "DIR")]
    pub(crate) plan: PathBuf,

    /// Say what would be recorded, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Where a change in plain SQL is: nothing else can tell.
    #[arg(long, value_name = "CHANGE=PHASE")]
    pub(crate) at: Vec<String>,

    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

const ADOPT_EXAMPLES: &str = "\
Examples:
  phasegate adopt --plan . --dry-run
  phasegate adopt --plan . --at index-city=contracted

Exit codes:
  0   everything was explained (and, without --dry-run, recorded)
  75  the database is out of reach, or another runner is at work
  78  something is half there, or belongs to no change, or there is a ledger already; nothing was written";

/// `phasegate verify`, `phasegate doctor`.
#[derive(Debug, Args)]
#[command(after_long_help = VERIFY_EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// The directory with phasegate.yaml and changes/.
    #[arg(long, value_name = "DIR")]
    pub(crate) plan: PathBuf,

    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  phasegate verify --plan .                  what the ledger says, looked for; each migrated table is read once
  phasegate doctor --plan . --output json    what would stand in the way

Exit codes:
  0   everything is as the ledger says; nothing stands in the way (there may be warnings)
  75  the database is out of reach
  78  something is not so: it is named, with what to do";

/// `phasegate pause`.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// Why, for those who look at the status or at a canary that waits.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,

    /// Who, for the same.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "somebody")]
    pub(crate) by: String,
}

/// `phasegate check`.
#[derive(Debug, Args)]
#[command(after_long_help = CHECK_EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The name of the Database.
    #[arg(long, value_name = "NAME")]
    pub(crate) database: String,

    /// What the version supports, in the grammar of the annotation supports.phasegate.dev/<database>; empty for one
    /// that was built for the old shape of everything.
    #[arg(
        long,
        value_name = "LIST",
        env = "PHASEGATE_SUPPORTS",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) supports: String,

    /// Ask again until the answer is yes; with a duration, for at most that long.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "forever")]
    pub(crate) wait: Option<String>,

    /// Pass on Undecided when another pod of the same template is Ready at that moment, so that a database outage cannot
    /// stop a scale-up. Needs POD_NAME and PHASEGATE_NAMESPACE from the downward API, and the right to list pods.
    #[arg(long)]
    pub(crate) pod_aware: bool,

    /// This pod, from the downward API.
    #[arg(long, hide = true, env = "POD_NAME")]
    pub(crate) pod_name: Option<String>,

    /// The pod's namespace.
    #[arg(long, value_name = "NS", env = "PHASEGATE_NAMESPACE", hide_env_values = true)]
    pub(crate) namespace: Option<String>,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

/// `phasegate gate-role`.
#[derive(Debug, Args)]
#[command(after_long_help = GATE_ROLE_EXAMPLES)]
pub(crate) struct GateRoleArgs {
    /// The directory with phasegate.yaml, which names the engine.
    #[arg(long, value_name = "DIR")]
    pub(crate) plan: PathBuf,

    /// The role to make for the gate.
    #[arg(long, value_name = "NAME")]
    pub(crate) role: String,

    /// The role that `phasegate run` uses.
    #[arg(long, value_name = "NAME")]
    pub(crate) runner: String,

    /// The database on its server.
    #[arg(long, value_name = "NAME")]
    pub(crate) database: String,

    /// A schema that the apps' statements use (PostgreSQL); may be repeated.
    #[arg(long = "schema", value_name = "NAME", default_value = "public")]
    pub(crate) schemas: Vec<String>,
}

const GATE_ROLE_EXAMPLES: &str = "\
Examples:
  phasegate gate-role --plan . --role customers_gate --runner customers_owner --database customers | psql customers";

const CHECK_EXAMPLES: &str = "\
Examples:
  By hand:
    phasegate check --database customers --supports split-full-name

  As an init container of any workload:
    command: [phasegate, check, --database, customers, --supports, split-full-name, --wait, --pod-aware]
    env: PHASEGATE_DATABASE_URL from the gate's Secret; POD_NAME and PHASEGATE_NAMESPACE from the downward API

Exit codes:
  0   proceed (or, with --pod-aware, undecided while another pod of the same template is Ready)
  3   wait: not yet true
  4   refuse: it can never come true
  5   undecided: a fact that is needed is missing, for example the database is out of reach
  75  SIGTERM came while waiting";

/// `500ms`, `30s`, `10m`, `2h`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let unit = text.strip_prefix(digits.as_str()).unwrap_or_default();
    let number: u64 = digits.parse().map_err(|_| "write a number and a unit: 500ms, 30s, 10m, 2h".to_owned())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("the unit must be ms, s, m or h".to_owned()),
    };
    Ok(std::time::Duration::from_millis(number.saturating_mul(millis)))
}

/// As `spec.backfill.niceRatio` has it.
fn ratio(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| NICE_RATIOS.contains(number));
    number.ok_or_else(|| "write a number from 0 to 10".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read_or_refused() {
        assert_eq!(duration("500ms"), Ok(std::time::Duration::from_millis(500)));
        assert_eq!(duration("2h"), Ok(std::time::Duration::from_secs(7_200)));
        for bad in ["", "s", "5", "-5s", "5 s", "1d", "99999999999999999999s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_nice_ratio_is_a_number_from_0_to_10() {
        assert_eq!((ratio("0"), ratio("0.5"), ratio("10")), (Ok(0.0), Ok(0.5), Ok(10.0)));
        for bad in ["", "-1", "10.1", "nan", "inf", "half"] {
            assert!(ratio(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn help_teaches_with_examples_and_exit_codes() {
        let mut command = Cli::command().term_width(100);
        command.build();
        let mut helps = vec![command.render_long_help().to_string()];
        for name in ["run", "plan", "status", "verify", "doctor", "adopt", "pause", "resume", "check", "gate-role"] {
            let sub = command.find_subcommand_mut(name).unwrap();
            helps.push(sub.render_long_help().to_string());
        }
        insta::assert_snapshot!(helps.join("\n=====\n\n"));
    }
}
