//! The gRPC form of the protocol, for hosts that accept it: the plugin's own services, and beside them what every
//! go-plugin host calls (health `plugin`, broker, controller, stdio, reflection). What the services are is told to it.
//!
//! Like [`crate::serve`], this file opens a socket and spawns tasks. Everything else is tonic's.

use std::{
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{sleep, timeout},
};
use tonic::{
    Request, Response, Status, Streaming, async_trait,
    service::Routes,
    transport::{Server, server::Connected},
};

use crate::{
    handshake::Protocol,
    serve::{Ended, FAREWELL, ServeConfig, ServeError, Socket},
};
use wire::{
    ConnInfo, Empty, StdioData,
    grpc_broker_server::{GrpcBroker, GrpcBrokerServer},
    grpc_controller_server::{GrpcController, GrpcControllerServer},
    grpc_stdio_server::{GrpcStdio, GrpcStdioServer},
};

/// The name whose health go-plugin's host asks for.
const HEALTH: &str = "plugin";
/// Between the end of the only connection and the next; gRPC's clients connect again by themselves.
const RECONNECT: Duration = Duration::from_secs(2);
/// Calls at a time on one connection.
const STREAMS: u32 = 1024;

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unused_qualifications,
    unreachable_pub,
    reason = "generated code"
)]
mod wire {
    include!("generated/plugin.rs");
}

/// What go-plugin's services look like, for reflection.
const DESCRIPTORS: &[u8] = include_bytes!("generated/plugin.bin");

/// Serves the host that started this process, in gRPC: checks the cookie, binds a socket, writes the one line to
/// `stdout`, and answers calls until the host says Shutdown or is gone. `descriptors` are encoded `FileDescriptorSet`s of
/// the services. Swallows SIGINT meanwhile.
///
/// # Errors
/// [`ServeError`].
pub async fn serve_grpc(
    config: ServeConfig,
    services: Routes,
    descriptors: &'static [u8],
    stdout: &mut (impl Write + Send),
) -> Result<Ended, ServeError> {
    config.handshake.check(config.cookie.as_deref())?;
    let mut interrupts = signal(SignalKind::interrupt())?;
    let socket = Socket::bind(&config.socket_directory, &config.handshake, Protocol::Grpc)?;
    let (quit, quitting) = watch::channel(false);
    let routes = whole(services, descriptors, &quit).await?;
    stdout.write_all(socket.line.as_bytes()).and_then(|()| stdout.flush()).map_err(ServeError::Stdout)?;

    let (connections, mut open) = watch::channel(Connections::default());
    let end = {
        let quitting = quitting.clone();
        async move { ended(quitting, &mut open, config.connect_within).await }
    };
    let (told, over) = watch::channel(None);
    let ending = tokio::spawn(async move {
        told.send_replace(Some(end.await));
    });
    let server = Server::builder().max_concurrent_streams(STREAMS).add_routes(routes);
    let mut finished = over.clone();
    let serving = server.serve_with_incoming_shutdown(accepted(&socket.listener, &connections), async move {
        let _ = finished.wait_for(Option::is_some).await;
    });
    // The silent streams end with everything else.
    let mut over_too = over.clone();
    let bounded = async move {
        let _ = over_too.wait_for(Option::is_some).await;
        quit.send_replace(true);
        sleep(FAREWELL).await;
    };
    tokio::pin!(serving, bounded);
    let served = loop {
        tokio::select! {
            served = &mut serving => break served.map_err(ServeError::Grpc),
            () = &mut bounded => break Ok(()),
            Some(()) = interrupts.recv() => tracing::info!("ignored SIGINT: the host says when to stop"),
        }
    };
    ending.abort();
    served?;
    let end = *over.borrow();
    match end {
        Some(End::Quit) => Ok(Ended::Quit),
        Some(End::Disconnected) | None => Ok(Ended::Disconnected),
        Some(End::NobodyCame { waited }) => Err(ServeError::NobodyCame { waited }),
    }
}

/// Why it is over.
#[derive(Clone, Copy, Debug)]
enum End {
    Quit,
    Disconnected,
    NobodyCame { waited: Duration },
}

#[derive(Clone, Copy, Debug, Default)]
struct Connections {
    open: usize,
    ever: bool,
}

async fn ended(
    mut quitting: watch::Receiver<bool>,
    connections: &mut watch::Receiver<Connections>,
    waited: Duration,
) -> End {
    let gone = async {
        if timeout(waited, connections.wait_for(|connections| connections.ever)).await.is_err() {
            return End::NobodyCame { waited };
        }
        loop {
            let _ = connections.wait_for(|connections| connections.open == 0).await;
            if timeout(RECONNECT, connections.wait_for(|connections| connections.open > 0)).await.is_err() {
                return End::Disconnected;
            }
        }
    };
    tokio::select! {
        _ = quitting.wait_for(|quit| *quit) => End::Quit,
        end = gone => end,
    }
}

async fn whole(services: Routes, descriptors: &'static [u8], quit: &watch::Sender<bool>) -> Result<Routes, ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    for name in ["", HEALTH] {
        health.set_service_status(name, tonic_health::ServingStatus::Serving).await;
    }
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let host = Host { quit: quit.clone() };
    Ok(services
        .add_service(health_service)
        .add_service(described().build_v1().map_err(ServeError::Description)?)
        .add_service(described().build_v1alpha().map_err(ServeError::Description)?)
        .add_service(GrpcBrokerServer::new(host.clone()))
        .add_service(GrpcStdioServer::new(host.clone()))
        .add_service(GrpcControllerServer::new(host)))
}

/// go-plugin's own services.
#[derive(Clone, Debug)]
struct Host {
    quit: watch::Sender<bool>,
}

impl Host {
    /// Says nothing, and ends when the plugin does.
    fn silence<T: Send + 'static>(&self) -> BoxStream<'static, Result<T, Status>> {
        let mut quitting = self.quit.subscribe();
        let end = async move {
            let _ = quitting.wait_for(|quit| *quit).await;
        };
        stream::once(end).filter_map(|()| std::future::ready(None)).boxed()
    }
}

#[async_trait]
impl GrpcBroker for Host {
    type StartStreamStream = BoxStream<'static, Result<ConnInfo, Status>>;

    /// What the host offers is not taken: its side of the stream is left unread.
    async fn start_stream(&self, _: Request<Streaming<ConnInfo>>) -> Result<Response<Self::StartStreamStream>, Status> {
        Ok(Response::new(self.silence()))
    }
}

#[async_trait]
impl GrpcStdio for Host {
    type StreamStdioStream = BoxStream<'static, Result<StdioData, Status>>;

    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(self.silence()))
    }
}

#[async_trait]
impl GrpcController for Host {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.quit.send_replace(true);
        Ok(Response::new(Empty {}))
    }
}

fn accepted<'a>(
    listener: &'a UnixListener,
    connections: &'a watch::Sender<Connections>,
) -> impl futures::Stream<Item = io::Result<Counted>> + 'a {
    stream::unfold((), move |()| async move {
        let accepted = listener.accept().await.map(|(stream, _)| Counted::new(stream, connections.clone()));
        if accepted.is_err() {
            // Out of file descriptors, say: no reason to try at once.
            sleep(Duration::from_secs(1)).await;
        }
        Some((accepted, ()))
    })
}

/// A connection that is counted while it is open.
#[derive(Debug)]
struct Counted {
    stream: UnixStream,
    connections: watch::Sender<Connections>,
}

impl Counted {
    fn new(stream: UnixStream, connections: watch::Sender<Connections>) -> Self {
        connections.send_modify(|connections| {
            connections.open += 1;
            connections.ever = true;
        });
        Self { stream, connections }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.connections.send_modify(|connections| connections.open = connections.open.saturating_sub(1));
    }
}

impl Connected for Counted {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Counted {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
