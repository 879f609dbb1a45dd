//! The plugin's driver: the only file on this side that opens a socket or spawns a task. What the bytes mean is the
//! business of [`crate::session`].

use std::convert::Infallible;
use std::fs::DirBuilder;
use std::future::Future;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::driver::{Endpoint, Progress, Wire};
use crate::gob::interest::Interest;
use crate::handshake::{Handshake, HandshakeError, Protocol};
use crate::limits::Limits;
pub use crate::session::{Call, Ended, Reply};
use crate::session::{Catalogue, Session, SessionError};
use crate::yamux::{Role, Yamux};

/// How long the host may take to close the connection after Quit was answered. go-plugin's host still ends its streams
/// then, kills at once if that fails, and after two seconds if the process is still there.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// Names tried for the socket's directory before something must be wrong.
const NAMES: u32 = 1000;

/// What a plugin binary offers its host.
pub trait Service: Send + Sync + 'static {
    /// The methods of one plugin by its Go names, e.g. `Area`; `None` if there is no such plugin to dispense.
    fn methods(&self, plugin: &str) -> Option<&[&str]>;

    /// How much of the argument of a method is wanted; what is not will be absent from [`Call::argument`], and costs little.
    fn interest(&self, _plugin: &str, _method: &str) -> &'static Interest {
        &Interest::Whole
    }

    /// Answers one call of a method named by [`Service::methods`]. Calls run side by side; an `Err` reaches the host as
    /// the text of a net/rpc error. Nothing here bounds how long it takes, and a host that loses interest does not say so.
    fn call(&self, call: Call) -> impl Future<Output = Result<Reply, String>> + Send;
}

/// How to serve. The environment is read by the caller.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// What the host must agree to.
    pub handshake: Handshake,
    /// The cookie as found in the environment under [`Handshake::cookie_key`].
    pub cookie: Option<String>,
    /// Where the socket may be; see [`crate::handshake::socket_directory`].
    pub socket_directory: PathBuf,
    /// How long to wait for the host's only connection; go-plugin's host connects as soon as it read the line. A host
    /// that died in between would otherwise leave this process behind for ever.
    pub connect_within: Duration,
    /// Bounds on what the host may send.
    pub limits: Limits,
}

impl ServeConfig {
    /// A configuration with default limits and two minutes to connect.
    pub fn new(handshake: Handshake, cookie: Option<String>, socket_directory: PathBuf) -> Self {
        Self {
            handshake,
            cookie,
            socket_directory,
            connect_within: Duration::from_secs(120),
            limits: Limits::default(),
        }
    }
}

/// Why serving failed.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Not started by the right host, or the socket's path does not do. Show it on stderr and exit with 1.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// There is no place for the socket.
    #[error("cannot make a socket in `{directory}`; set PLUGIN_UNIX_SOCKET_DIR to a directory that can be written to")]
    Socket {
        /// Where it should have been.
        directory: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The host does not read our stdout.
    #[error("cannot write the handshake line to stdout")]
    Stdout(#[source] io::Error),
    /// The host read the line and never came.
    #[error("no host connected within {} s", waited.as_secs())]
    NobodyCame {
        /// [`ServeConfig::connect_within`].
        waited: Duration,
    },
    /// Something between us and the host failed.
    #[error("the connection to the host failed")]
    Connection(#[from] io::Error),
    /// The gRPC server failed.
    #[error("cannot serve gRPC")]
    Grpc(#[source] tonic::transport::Error),
    /// The descriptions that were compiled in cannot be read.
    #[error("the services cannot be described")]
    Description(#[source] tonic_reflection::server::Error),
    /// The host does not speak as it should, or does not speak any more.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// Serves the host that started this process: checks the cookie, binds a socket, writes the one line to `stdout`, and
/// answers calls over the single connection until it closes or the host says Quit. Swallows SIGINT meanwhile, as Go
/// plugins do: in a terminal it is meant for the host.
pub async fn serve<S: Service>(
    config: ServeConfig,
    service: Arc<S>,
    stdout: &mut (impl Write + Send),
) -> Result<Ended, ServeError> {
    config.handshake.check(config.cookie.as_deref())?;
    let mut interrupts = signal(SignalKind::interrupt())?;
    let socket = Socket::bind(&config.socket_directory, &config.handshake, Protocol::NetRpc)?;
    stdout.write_all(socket.line.as_bytes()).and_then(|()| stdout.flush()).map_err(ServeError::Stdout)?;

    let serving = async {
        let waited = config.connect_within;
        let (connection, _) =
            timeout(waited, socket.listener.accept()).await.map_err(|_| ServeError::NobodyCame { waited })??;
        tokio::select! {
            ended = serve_connection(connection, service, config.limits) => ended,
            never = refuse_others(&socket.listener) => match never {},
        }
    };
    tokio::pin!(serving);
    loop {
        tokio::select! {
            ended = &mut serving => return ended,
            Some(()) = interrupts.recv() => tracing::info!("ignored SIGINT: the host says when to stop"),
        }
    }
}

/// Serves one connection, whatever it is made of; [`serve`] without the handshake.
pub async fn serve_connection<S: Service>(
    connection: impl AsyncRead + AsyncWrite + Send,
    service: Arc<S>,
    limits: Limits,
) -> Result<Ended, ServeError> {
    let mut wire = Wire::new(connection);
    let mut session = Session::new(Offered(Arc::clone(&service)), limits);
    let ended = match drive(&mut wire, &mut session, &service).await {
        Ok(ended) => Ok(ended),
        // A host that dies leaves its connection like this, and that is a way to say goodbye.
        Err(ServeError::Connection(error)) if is_farewell(&error) => Ok(Ended::Disconnected),
        Err(error) => Err(error),
    };
    // The last words: a reply still on its way, or a GoAway. Nobody may be there to read them.
    if let Ok(Err(error)) = timeout(FAREWELL, wire.close(&mut session)).await {
        tracing::debug!(error = %error, "the connection was gone before it was closed");
    }
    // Quit may have been followed by the end of the connection.
    ended.map(|ended| session.ended().unwrap_or(ended))
}

async fn drive<S: Service, T: AsyncRead + AsyncWrite>(
    wire: &mut Wire<T>,
    session: &mut Session<Offered<S>>,
    service: &Arc<S>,
) -> Result<Ended, ServeError> {
    let mut calls = JoinSet::new();
    let mut ids = std::collections::HashMap::new();
    loop {
        while let Some((id, call)) = session.next_call() {
            let service = Arc::clone(service);
            let task = calls.spawn(async move { service.call(call).await });
            ids.insert(task.id(), id);
        }
        if let Some(ended) = session.ended()
            && wire.is_flushed()
            && !session.has_output()
        {
            linger(wire, session).await?;
            return Ok(ended);
        }
        tokio::select! {
            progress = wire.advance(session) => {
                if progress? == Progress::Closed {
                    return Ok(Ended::Disconnected);
                }
            }
            Some(finished) = calls.join_next_with_id() => {
                let mut next = Some(finished);
                // Those who waited for one thing are answered at one moment, and their answers leave in one write.
                while let Some(finished) = next {
                    let (task, result) = match finished {
                        Ok((task, result)) => (task, result),
                        // One call's bug is that call's error.
                        Err(error) => (error.id(), Err("the plugin failed in this call; its log says more".to_owned())),
                    };
                    if let Some(id) = ids.remove(&task) {
                        session.reply(id, &result)?;
                    }
                    next = calls.try_join_next_with_id();
                }
            }
        }
    }
}

/// Lets the host end its streams and close the connection first.
async fn linger<S: Service, T: AsyncRead + AsyncWrite>(
    wire: &mut Wire<T>,
    session: &mut Session<Offered<S>>,
) -> Result<(), ServeError> {
    let closed = async {
        while wire.advance(session).await? != Progress::Closed {}
        Ok(())
    };
    timeout(FAREWELL, closed).await.unwrap_or(Ok(()))
}

/// A host connects once. Anybody else is told to go away, in yamux, and is not listened to.
async fn refuse_others(listener: &UnixListener) -> Infallible {
    loop {
        let Ok((mut connection, _)) = listener.accept().await else {
            // Out of file descriptors, say: no reason to trouble the connection that is served.
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        tracing::warn!("refused a second connection: this plugin serves the host that started it");
        let mut refusal = Yamux::new(Role::Server, 0);
        refusal.go_away();
        // A few bytes into an empty socket: this does not wait.
        if let Err(error) = connection.write_all(&refusal.take_output(usize::MAX)).await {
            tracing::debug!(error = %error, "the second connection was gone already");
        }
    }
}

fn is_farewell(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof)
}

/// The socket in a directory of its own, which nobody else may enter; both are removed when this is dropped.
pub(crate) struct Socket {
    pub(crate) listener: UnixListener,
    pub(crate) line: String,
    directory: PathBuf,
    path: PathBuf,
}

impl Socket {
    pub(crate) fn bind(directory: &Path, handshake: &Handshake, protocol: Protocol) -> Result<Self, ServeError> {
        let failed = |cause| ServeError::Socket { directory: directory.to_owned(), cause };
        let own = private_directory(directory).map_err(failed)?;
        let path = own.join("s");
        let bound = handshake.line(&path, protocol).map_err(ServeError::from);
        let bound = bound.and_then(|line| Ok((line, UnixListener::bind(&path).map_err(failed)?)));
        match bound {
            Ok((line, listener)) => Ok(Self { listener, line, directory: own, path }),
            Err(error) => {
                remove(&path, &own);
                Err(error)
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        remove(&self.path, &self.directory);
    }
}

/// Makes a directory that was not there before, so that nobody can have prepared it.
fn private_directory(parent: &Path) -> io::Result<PathBuf> {
    let process = std::process::id();
    for attempt in 0..NAMES {
        let path = parent.join(format!("plugin{process}-{attempt}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn remove(socket: &Path, directory: &Path) {
    // The socket may never have been made; a directory that stays behind is empty and harmless.
    let _ = std::fs::remove_file(socket);
    if let Err(error) = std::fs::remove_dir(directory) {
        tracing::debug!(error = %error, "the socket's directory stays behind");
    }
}

/// A service as the session sees it: names only.
#[derive(Debug)]
struct Offered<S>(Arc<S>);

impl<S: Service> Catalogue for Offered<S> {
    fn has_plugin(&self, plugin: &str) -> bool {
        self.0.methods(plugin).is_some()
    }

    fn has_method(&self, plugin: &str, method: &str) -> bool {
        self.0.methods(plugin).is_some_and(|methods| methods.contains(&method))
    }

    fn interest(&self, plugin: &str, method: &str) -> &'static Interest {
        self.0.interest(plugin, method)
    }
}

impl<C: Catalogue> Endpoint for Session<C> {
    type Error = ServeError;

    fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<(), ServeError> {
        Ok(Self::receive(self, now, bytes)?)
    }

    fn take_output(&mut self, enough: usize) -> Result<Vec<u8>, ServeError> {
        Ok(Self::take_output(self, enough)?)
    }

    fn backlog(&self) -> usize {
        Self::backlog(self)
    }

    fn deadline(&self) -> Duration {
        Self::deadline(self)
    }

    fn tick(&mut self, now: Duration) -> Result<(), ServeError> {
        Ok(Self::tick(self, now)?)
    }
}
