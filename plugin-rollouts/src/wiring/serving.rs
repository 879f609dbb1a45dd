//! `serve`: the gate for a whole cluster, until a signal ends it.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::sleep,
};

use super::{Threads, gate, now, runtime, watched};
use crate::{
    chain::chain,
    config::ServeSettings,
    gate::Clock,
    metrics::Metrics,
    serve::{
        callers::Callers,
        certificate::{Certificate, Renewal},
        listen::{self, Transport},
        probes::{self, Ready},
        router,
    },
    sources::{rights::RunsIn, token_review::TokenReviews},
};

/// How often the certificate's files are looked at. A kubelet takes a minute to bring a renewed Secret.
const RENEW_EVERY: Duration = Duration::from_secs(10);
const TIDY_EVERY: Duration = Duration::from_secs(10);
/// What hangs in a resolver's thread must not keep the process alive.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(settings: ServeSettings) -> anyhow::Result<()> {
    let runtime = runtime(Threads::Several)?;
    watched(&runtime, settings.level, settings.otlp.clone());
    let ended = runtime.block_on(serve(settings));
    runtime.shutdown_timeout(LEAVE_WITHIN);
    ended
}

async fn serve(settings: ServeSettings) -> anyhow::Result<()> {
    let ServeSettings { limits, level: _, listen, http, certificate, allowed, drain, prometheus, otlp: _ } = settings;
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let certificate = Certificate::read(certificate).context("cannot serve without a certificate")?;
    let tls = Arc::new(certificate.tls()?);
    let (clock, metrics, ready) = (Clock::starting_at(now()), Arc::<Metrics>::default(), Arc::<Ready>::default());
    let reviews = Arc::new(TokenReviews::new(limits.kubernetes));
    let callers = Arc::new(Callers::new(reviews, allowed, clock, limits.kubernetes));
    let service = gate::service(RunsIn::Serve, limits, clock, Arc::clone(&metrics), prometheus);
    let (router, health) =
        router(service, Arc::clone(&callers), Arc::clone(&metrics)).await.context("cannot describe the service")?;

    let (questions, probed) = (listen::bind(listen).await?, listen::bind(http).await?);
    let (asked, told) = (questions.local_addr()?, probed.local_addr()?);
    let (end_questions, questions_end) = watch::channel(false);
    let (end_probes, probes_end) = watch::channel(false);
    let answering = tokio::spawn(listen::serve(questions, Transport::Tls(tls), router, questions_end));
    let probes = probes::router(Arc::clone(&ready), Arc::clone(&metrics));
    let probing = tokio::spawn(listen::serve(probed, Transport::Plain, probes, probes_end));
    tokio::spawn(renew(certificate, metrics, signal(SignalKind::hangup())?));
    tokio::spawn(async move {
        loop {
            sleep(TIDY_EVERY).await;
            callers.tidy();
        }
    });
    ready.set(true);
    tracing::info!(questions = %asked, http = %told, "serving");

    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    tracing::info!("ending: questions are answered until the cluster knows");
    ready.set(false);
    health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    // Endpoints are taken away a moment after a pod began to end; until then questions still arrive here.
    tokio::select! {
        () = sleep(drain) => {}
        _ = interrupted.recv() => {}
    }
    end_questions.send_replace(true);
    answering.await.context("the listener failed")?;
    end_probes.send_replace(true);
    probing.await.context("the listener of the probes failed")?;
    tracing::info!("every question was answered");
    Ok(())
}

/// Looks at the certificate's files now and then, and at once after SIGHUP.
async fn renew(certificate: Arc<Certificate>, metrics: Arc<Metrics>, mut wanted: Signal) {
    loop {
        tokio::select! {
            () = sleep(RENEW_EVERY) => {}
            _ = wanted.recv() => {}
        }
        match certificate.renew() {
            Ok(Renewal::Same) => metrics.certificate("same"),
            Ok(Renewal::Renewed) => {
                metrics.certificate("renewed");
                tracing::info!("the certificate was renewed");
            }
            Err(error) => {
                metrics.certificate("unusable");
                tracing::warn!(error = chain(&error), "the renewed certificate cannot be used; the old one is served");
            }
        }
    }
}
