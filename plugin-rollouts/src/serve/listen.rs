//! Accepts connections and serves HTTP on them, with TLS or without: a bounded number, each for a bounded time, and until
//! the end is announced.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    pin,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// Connections at a time. Argo's controller needs one for each of its plugin processes, and one for an analysis.
const CONNECTIONS: usize = 512;
/// Questions at a time on one connection; more wait for their turn on the client's side.
const STREAMS: u32 = 1000;
/// From the first byte to the end of the TLS handshake, and for the head of a request.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A connection older than this is ended when its questions are answered, so that the next may find another copy.
const OLDEST: Duration = Duration::from_secs(300);
/// How long the questions on a connection that ends may take. They are answered sooner than that.
const FAREWELL: Duration = Duration::from_secs(25);
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// An `Authorization` header with a token, and what HTTP adds to it.
const LONGEST_HEADERS: u32 = 32 * 1024;

/// What is spoken on a port.
#[derive(Clone)]
pub enum Transport {
    /// HTTP over TLS.
    Tls(Arc<ServerConfig>),
    /// HTTP as it is: for probes and metrics, which hold no secret.
    Plain,
}

/// Binds a port.
///
/// # Errors
/// What the system says, with the address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, CannotListen> {
    TcpListener::bind(address).await.map_err(|cause| CannotListen { address, cause })
}

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct CannotListen {
    /// Which.
    address: SocketAddr,
    /// What the system says.
    #[source]
    cause: io::Error,
}

/// Serves until `end` is announced (or its sender dropped), and then until the questions under way are answered.
pub async fn serve(listener: TcpListener, transport: Transport, router: Router, mut end: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Taken before a connection is accepted: those beyond the limit wait in the system's queue.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = end.wait_for(|end| *end) => break,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, say.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (transport, router, end) = (transport.clone(), router.clone(), end.clone());
        connections.spawn(async move {
            greeted(stream, transport, router, end).await;
            drop(slot);
        });
    }
    // Nobody else is let in while the rest is answered.
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn greeted(stream: TcpStream, transport: Transport, router: Router, end: watch::Receiver<bool>) {
    // Answers are small; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    match transport {
        Transport::Plain => connection(stream, router, end).await,
        Transport::Tls(config) => match timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await {
            Ok(Ok(stream)) => connection(stream, router, end).await,
            Ok(Err(error)) => tracing::debug!(error = %error, "no TLS handshake"),
            Err(_) => tracing::debug!("the TLS handshake took too long"),
        },
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut end: watch::Receiver<bool>,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HANDSHAKE).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LONGEST_HEADERS)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(HANDSHAKE);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        _ = async { tokio::select! { _ = end.wait_for(|end| *end) => {}, () = sleep(OLDEST) => {} } } => {
            serving.as_mut().graceful_shutdown();
            timeout(FAREWELL, serving).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended badly");
    }
}
