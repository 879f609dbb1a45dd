//! The plugin: serves the host that started this process, with a gate here or elsewhere.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use goplugin_wire::{Ended, Handshake, Protocol, ServeConfig, ServeError, serve, serve_grpc, socket_directory};
use proto::step::v1::step_plugin_server::{StepPlugin, StepPluginServer};
use tokio::sync::watch;
use tonic::service::Routes;

use super::{Environment, Threads, gate, now, runtime, watched};
use crate::{
    chain::chain,
    config::PluginSettings,
    front::Front,
    gate::Clock,
    grpc::remote::Remote,
    metrics::Metrics,
    serve::{
        listen::{self, Transport},
        probes,
    },
    sources::rights::RunsIn,
};

/// Argo Rollouts' host sets this variable to this value for a step plugin (1.10.2, rollout/steps/plugin/client).
pub(super) const COOKIE: (&str, &str) = ("ARGO_ROLLOUTS_RPC_PLUGIN", "step");
/// What hangs in a resolver's thread must not keep the process alive.
const LEAVE_WITHIN: Duration = Duration::from_millis(100);

/// Serves until the host says Quit or is gone.
pub(super) fn run(settings: PluginSettings, environment: &Environment) -> anyhow::Result<()> {
    let handshake =
        Handshake { protocol_version: 1, cookie_key: COOKIE.0.to_owned(), cookie_value: COOKIE.1.to_owned() };
    // Said before anything is started, and in words for the person who typed it.
    handshake.check(environment.cookie.as_deref())?;
    let directory = socket_directory(environment.socket_directory.as_deref(), environment.temporary.as_deref());
    let serving = ServeConfig::new(handshake, environment.cookie.clone(), directory);
    let runtime = runtime(Threads::One)?;
    watched(&runtime, settings.level, settings.otlp.clone());
    // A task of its own: each time that what `block_on` itself waits for is woken, tokio writes to its own eventfd and reads
    // it back, two system calls more for each question.
    let ended = runtime.block_on(async { tokio::spawn(plugin(settings, serving)).await });
    runtime.shutdown_timeout(LEAVE_WITHIN);
    match ended.context("the plugin broke down")?.context("cannot serve the host")? {
        Ended::Quit => tracing::info!("the host said Quit"),
        Ended::Disconnected => tracing::info!("the host is gone"),
    }
    Ok(())
}

async fn plugin(settings: PluginSettings, serving: ServeConfig) -> Result<Ended, ServeError> {
    let PluginSettings { limits, level: _, remote, protocol, metrics: address, prometheus, otlp: _ } = settings;
    let metrics = Arc::<Metrics>::default();
    if let Some(address) = address {
        tokio::spawn(tell_prometheus(address, Arc::clone(&metrics)));
    }
    match remote {
        Some(remote) => fronted(Remote::new(remote), protocol, serving).await,
        None => {
            fronted(
                gate::service(RunsIn::Controller, limits, Clock::starting_at(now()), metrics, prometheus),
                protocol,
                serving,
            )
            .await
        }
    }
}

async fn fronted<S: StepPlugin>(service: S, protocol: Protocol, serving: ServeConfig) -> Result<Ended, ServeError> {
    let stdout = &mut std::io::stdout();
    match protocol {
        Protocol::NetRpc => serve(serving, Arc::new(Front::new(service)), stdout).await,
        Protocol::Grpc => {
            let services = Routes::new(StepPluginServer::new(service));
            serve_grpc(serving, services, proto::DESCRIPTORS, stdout).await
        }
    }
}

/// A plugin that cannot be watched still serves.
async fn tell_prometheus(address: SocketAddr, metrics: Arc<Metrics>) {
    match listen::bind(address).await {
        Ok(listener) => {
            let (_open, end) = watch::channel(false);
            listen::serve(listener, Transport::Plain, probes::metrics_router(metrics), end).await;
        }
        Err(error) => tracing::warn!(error = chain(&error), "no metrics are told"),
    }
}
