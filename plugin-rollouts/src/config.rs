//! The command line, checked.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::ValueEnum;
use goplugin_wire::Protocol;
use tracing::Level;

use crate::{
    args::{Args, HostProtocol, LogLevel, RenewTokenArgs, ServeArgs},
    gate::Limits,
    grpc::remote::RemoteSettings,
    serve::{callers::Allowed, certificate::CertificateFiles},
    sources::asker_token::AskerToken,
    traces::{BadCollector, Collector},
};

const SECONDS: std::ops::RangeInclusive<u64> = 1..=20;
const HOURS: std::ops::RangeInclusive<u64> = 1..=8760;
const DRAIN: std::ops::RangeInclusive<u64> = 0..=60;
/// How much longer a plugin waits for a gate elsewhere than that takes to say that it is out of time.
const ON_THE_WAY: Duration = Duration::from_millis(500);

/// How to serve a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSettings {
    /// How long anything may take.
    pub limits: Limits,
    /// What to log.
    pub level: Level,
    /// The gate elsewhere; none means here.
    pub remote: Option<RemoteSettings>,
    /// What is spoken with the host.
    pub protocol: Protocol,
    /// Where Prometheus asks, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// The file that names the Prometheus servers which steps may ask.
    pub prometheus: Option<PathBuf>,
    /// Where traces go, if anywhere.
    pub otlp: Option<Collector>,
}

/// How to serve a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeSettings {
    /// How long anything may take.
    pub limits: Limits,
    /// What to log.
    pub level: Level,
    /// Where questions arrive.
    pub listen: SocketAddr,
    /// Where probes and Prometheus ask.
    pub http: SocketAddr,
    /// What to prove who we are with.
    pub certificate: CertificateFiles,
    /// Who may ask.
    pub allowed: Allowed,
    /// From the signal to end until new connections end.
    pub drain: Duration,
    /// The file that names the Prometheus servers which steps may ask.
    pub prometheus: Option<PathBuf>,
    /// Where traces go, if anywhere.
    pub otlp: Option<Collector>,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArgs {
    /// The time limit is out of range.
    #[error("--time-limit is {found}; it must be from {} to {} seconds", SECONDS.start(), SECONDS.end())]
    TimeLimit {
        /// What was typed.
        found: u64,
    },
    /// The time to drain is out of range.
    #[error("--drain is {found}; it must be from {} to {} seconds", DRAIN.start(), DRAIN.end())]
    Drain {
        /// What was typed.
        found: u64,
    },
    /// The life of a token is out of range.
    #[error("--hours is {found}; it must be from {} to {}", HOURS.start(), HOURS.end())]
    Hours {
        /// What was typed.
        found: u64,
    },
    /// A token goes over TLS only.
    #[error("--endpoint is `{found}`; it must be https://<host>:<port>, since a token is sent there")]
    Endpoint {
        /// What was typed.
        found: String,
    },
    /// No collector is there.
    #[error(transparent)]
    Collector(#[from] BadCollector),
    /// No user of Kubernetes is called that.
    #[error("--{option} is `{found}`; {wanted}")]
    Caller {
        /// The option.
        option: &'static str,
        /// What was typed.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
}

/// Checks the arguments of a plugin. `stated` is what the environment says to log.
///
/// # Errors
/// [`BadArgs`]. A word that the environment should not hold is none: a plugin that does not start cannot be started
/// again before its controller is.
pub fn checked(args: &Args, stated: Option<&str>) -> Result<PluginSettings, BadArgs> {
    let Args { command: _, time_limit, endpoint, ca_file, token_file, protocol, metrics, prometheus, otlp, log } = args;
    let limits = limits(*time_limit)?;
    let remote = match (endpoint, ca_file, token_file) {
        (Some(endpoint), Some(ca_file), Some(token_file)) => {
            if !is_https(endpoint) {
                return Err(BadArgs::Endpoint { found: endpoint.clone() });
            }
            Some(RemoteSettings {
                endpoint: endpoint.clone(),
                ca_file: ca_file.clone(),
                token_file: token_file.clone(),
                patience: limits.total + ON_THE_WAY,
            })
        }
        // The parser demands all three or none.
        _ => None,
    };
    let protocol = match protocol {
        HostProtocol::Netrpc => Protocol::NetRpc,
        HostProtocol::Grpc => Protocol::Grpc,
    };
    Ok(PluginSettings {
        limits,
        level: level(*log, stated),
        remote,
        protocol,
        metrics: *metrics,
        prometheus: prometheus.clone(),
        otlp: otlp.as_deref().map(Collector::new).transpose()?,
    })
}

/// Checks the arguments of a server likewise.
///
/// # Errors
/// [`BadArgs`].
pub fn checked_serve(args: &Args, serve: &ServeArgs, stated: Option<&str>) -> Result<ServeSettings, BadArgs> {
    let ServeArgs { listen, http, certificate, key, caller, namespace_caller, drain } = serve;
    if !DRAIN.contains(drain) {
        return Err(BadArgs::Drain { found: *drain });
    }
    if let Some(bad) = caller.iter().find(|user| !user.starts_with("system:serviceaccount:")) {
        let wanted = "a caller is `system:serviceaccount:<namespace>:<name>`";
        return Err(BadArgs::Caller { option: "caller", found: bad.clone(), wanted });
    }
    if namespace_caller.is_empty() || namespace_caller.contains(':') {
        let wanted = "it is the name of a service account, without its namespace";
        return Err(BadArgs::Caller { option: "namespace-caller", found: namespace_caller.clone(), wanted });
    }
    Ok(ServeSettings {
        limits: limits(args.time_limit)?,
        level: level(args.log, stated),
        listen: *listen,
        http: *http,
        certificate: CertificateFiles { certificate: certificate.clone(), key: key.clone() },
        allowed: Allowed { everywhere: caller.iter().cloned().collect(), at_home: namespace_caller.clone() },
        drain: Duration::from_secs(*drain),
        prometheus: args.prometheus.clone(),
        otlp: args.otlp.as_deref().map(Collector::new).transpose()?,
    })
}

/// Checks which token to renew, likewise.
///
/// # Errors
/// [`BadArgs`].
pub fn checked_renewal(
    args: &Args,
    renewal: &RenewTokenArgs,
    stated: Option<&str>,
) -> Result<(AskerToken, Level), BadArgs> {
    let RenewTokenArgs { account, secret, hours } = renewal;
    if !HOURS.contains(hours) {
        return Err(BadArgs::Hours { found: *hours });
    }
    let token = AskerToken {
        account: account.clone(),
        secret: secret.clone(),
        lasts: Duration::from_secs(hours * 3600),
        patience: limits(args.time_limit)?.total,
    };
    Ok((token, level(args.log, stated)))
}

fn limits(seconds: u64) -> Result<Limits, BadArgs> {
    if !SECONDS.contains(&seconds) {
        return Err(BadArgs::TimeLimit { found: seconds });
    }
    Ok(Limits::within(Duration::from_secs(seconds)))
}

fn level(typed: Option<LogLevel>, stated: Option<&str>) -> Level {
    let stated = stated.and_then(|word| LogLevel::from_str(word, true).ok());
    match typed.or(stated).unwrap_or(LogLevel::Info) {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

fn is_https(endpoint: &str) -> bool {
    let uri = endpoint.parse::<axum::http::Uri>().ok();
    uri.is_some_and(|uri| {
        let bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        let user = uri.authority().is_none_or(|authority| authority.as_str().contains('@'));
        uri.scheme_str() == Some("https") && bare && !user
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Command;

    fn args(arguments: &[&str]) -> Args {
        Args::try_parse_from(["phasegate-rollouts"].iter().chain(arguments)).unwrap()
    }

    #[test]
    fn a_time_limit_out_of_range_is_refused() {
        for (seconds, good) in [("0", false), ("1", true), ("20", true), ("21", false)] {
            assert_eq!(checked(&args(&["--time-limit", seconds]), None).is_ok(), good, "{seconds}");
        }
    }

    #[test]
    fn the_argument_comes_before_the_environment_and_nonsense_there_stops_nobody() {
        let level = |arguments: &[&str], stated| checked(&args(arguments), stated).unwrap().level;
        assert_eq!(level(&[], None), Level::INFO);
        assert_eq!(level(&[], Some("DEBUG")), Level::DEBUG);
        assert_eq!(level(&[], Some("phasegate=loud")), Level::INFO);
        assert_eq!(level(&["--log", "error"], Some("debug")), Level::ERROR);
    }

    #[test]
    fn the_slowest_path_fits_into_the_whole() {
        for seconds in SECONDS {
            let limits = Limits::within(Duration::from_secs(seconds));
            assert!(limits.kubernetes + limits.ledger < limits.total);
        }
    }

    #[test]
    fn an_endpoint_is_https_and_comes_with_both_files() {
        let with = |endpoint| args(&["--endpoint", endpoint, "--ca-file", "/ca", "--token-file", "/token"]);
        let good = checked(&with("https://phasegate.phasegate.svc:8443"), None).unwrap().remote.unwrap();
        assert_eq!(good.endpoint, "https://phasegate.phasegate.svc:8443");
        assert!(good.patience < Duration::from_secs(5), "a worker of Argo waits");
        for bad in ["http://phasegate:8443", "phasegate:8443", "https://", "https://a/b", "https://u:p@a", "", "::"] {
            assert!(checked(&with(bad), None).unwrap_err().to_string().contains("must be https://"), "{bad}");
        }
        for incomplete in [&["--endpoint", "https://a"][..], &["--ca-file", "/ca"], &["--token-file", "/token"]] {
            let all = ["phasegate-rollouts"].iter().chain(incomplete);
            assert!(Args::try_parse_from(all).is_err(), "{incomplete:?}");
        }
    }

    #[test]
    fn a_token_is_asked_for_hours_and_not_for_ever() {
        for (hours, good) in [("0", false), ("1", true), ("8760", true), ("8761", false)] {
            let args = args(&["renew-token", "--hours", hours]);
            let Some(Command::RenewToken(renewal)) = &args.command else { panic!("{args:?}") };
            assert_eq!(checked_renewal(&args, renewal, None).is_ok(), good, "{hours}");
        }
    }

    #[test]
    fn a_server_knows_whom_it_answers() {
        let serve = |arguments: &[&str]| {
            let args = args(&[&["serve"], arguments].concat());
            let Some(Command::Serve(serve)) = &args.command else { panic!("{args:?}") };
            checked_serve(&args, serve, None)
        };
        let settings = serve(&[]).unwrap();
        assert!(settings.allowed.everywhere.contains("system:serviceaccount:argo-rollouts:argo-rollouts"));
        let other = serve(&["--caller", "system:serviceaccount:a:b", "--caller", "system:serviceaccount:c:d"]).unwrap();
        assert_eq!(other.allowed.everywhere.len(), 2);
        let rows = [
            (["--caller", "admin"], "a caller is `system:serviceaccount:"),
            (["--namespace-caller", "a:b"], "without its namespace"),
            (["--drain", "61"], "from 0 to 60"),
            (["--time-limit", "30"], "from 1 to 20"),
        ];
        for (arguments, want) in rows {
            let told = serve(&arguments).unwrap_err().to_string();
            assert!(told.contains(want), "{told}");
        }
    }
}
