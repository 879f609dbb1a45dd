//! The driver: the only file on the plugin's side that opens a socket or spawns a task. What the bytes mean is the
//! business of [`crate::session`].

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::gob::schema::Schema;
use crate::gob::value::Value;
use crate::handshake::{Handshake, HandshakeError};
use crate::limits::Limits;

/// What a plugin binary offers its host.
pub trait Service: Send + Sync + 'static {
    /// The methods of one plugin by its Go names, e.g. `Area`; `None` if there is no such plugin to dispense.
    fn methods(&self, plugin: &str) -> Option<&[&str]>;

    /// Answers one call of a method named by [`Service::methods`]. Calls run side by side; an `Err` reaches the host as
    /// the text of a net/rpc error. Nothing here bounds how long it takes, and a host that loses interest does not say so.
    fn call(&self, call: Call) -> impl Future<Output = Result<Reply, String>> + Send;
}

/// One call from the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The name that was dispensed.
    pub plugin: String,
    /// The method, without its object: `Area`.
    pub method: String,
    /// The argument as decoded; often a [`Value::Interface`], through which its accessors look.
    pub argument: Value,
}

/// The answer to a call: a value and the Go type it is sent as.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The type.
    pub schema: Schema,
    /// The value, which must fit the type.
    pub value: Value,
}

impl Reply {
    /// A reply of the given type. Cloning a schema is cheap: make it once.
    pub fn new(schema: &Schema, value: impl Into<Value>) -> Self {
        Self { schema: schema.clone(), value: value.into() }
    }
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

/// Why serving ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The host called `Control.Quit` and was answered.
    Quit,
    /// The host closed the only connection.
    Disconnected,
}

/// Why serving failed.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Not started by the right host, or the socket's path does not do. Show it on stderr and exit with 1.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
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
    let _ = (service, stdout);
    Ok(Ended::Disconnected) // the driver follows in the next commits
}
